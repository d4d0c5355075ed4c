import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import postgres from "postgres";
import { connectCrm } from "../scripts/lib/oauth-browser.ts";
import { type Client, createAndSignIn } from "../scripts/lib/people.ts";
import { type Bed, type Provider, withBed } from "./lib/bed.ts";
import { runFloor } from "./lib/floor.ts";

/**
 * First pull of N contacts through crm-sync against the floor of the same run: the bare client paging the same mock,
 * and one COPY. Their companies are there already, as in a whole sync. One JSON line per case.
 */

const TARGET = 2;
/**
 * How long the mock waits before each answer, on both sides, in ms. Without a wait only our own work shows; the other
 * figure is about what the real CRMs take for a page of 2,000 (Salesforce) or 100 (HubSpot). --latency N asks for others.
 */
const LATENCIES: Readonly<Record<Provider, readonly number[]>> = { salesforce: [0, 300], hubspot: [0, 100] };
const PROVIDERS: readonly Provider[] = ["salesforce", "hubspot"];

const { values: options } = parseArgs({
  options: {
    records: { type: "string", default: "20000" },
    provider: { type: "string", multiple: true, default: [...PROVIDERS] },
    latency: { type: "string", multiple: true },
    "port-base": { type: "string", default: "56600" },
  },
});
const records = Number(options.records);

interface Pull {
  seconds: number;
  rows: number;
  fields: string[];
  peakRssMb: number;
}

async function pullContacts(bed: Bed, sql: postgres.Sql, provider: Provider): Promise<Pull> {
  const email = `${randomUUID()}@bench.example`;
  const client = await createAndSignIn(bed.stack, { role: "owner", email, password: randomUUID(), name: "Bench" });
  const [own] = await sql<
    { id: string }[]
  >`select workspace_id as id from public.workspace_members where email = ${email}`;
  if (own === undefined) throw new Error("Signing up made no workspace.");
  const config = await connectCrm(client, { provider, workspaceId: own.id, returnUrl: bed.returnUrl });
  await sync(client, sql, config, "accounts");
  const seconds = await sync(client, sql, config, "contacts");
  const [count] = await sql<{ rows: number }[]>`
    select count(*)::integer as rows from public.crm_contacts where workspace_id = ${own.id}`;
  const mapped = await sql<{ crm_field: string }[]>`
    select crm_field from public.crm_field_mappings where config_id = ${config} and entity_type = 'contacts'`;
  return { seconds, rows: count?.rows ?? 0, fields: mapped.map((row) => row.crm_field), peakRssMb: peakRss(bed) };
}

/** From the request of the run to its end, as the database saw it: dispatch, claim, totals and every slice included. */
async function sync(client: Client, sql: postgres.Sql, config: string, entity: string): Promise<number> {
  const { data, error } = await client.rpc("crm_start_sync", { config_id: config, entities: [entity] });
  if (error) throw new Error(error.message);
  const { id } = data as unknown as { id: string };
  for (;;) {
    const [run] = await sql<{ status: string; message: string | null; seconds: number }[]>`
      select status, error_message as message, extract(epoch from completed_at - created_at)::float8 as seconds
        from public.crm_sync_operations where id = ${id}`;
    if (run?.status === "completed") return run.seconds;
    if (run !== undefined && run.status !== "queued" && run.status !== "running") {
      throw new Error(`The sync of ${entity} ended ${run.status}: ${run.message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function peakRss(bed: Bed): number {
  const status = readFileSync(`/proc/${bed.stack.functionPid("crm-sync")}/status`, "utf8");
  return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024);
}

async function control(bed: Bed, path: string, body: object): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${bed.mock.url}/__control/${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`The mock refused /__control/${path}: ${await response.text()}`);
  return response.json();
}

async function measure(bed: Bed, provider: Provider, latencyMs: number): Promise<boolean> {
  const sql = postgres(bed.stack.dbUrl, { max: 1, onnotice: () => {} });
  await control(bed, "knobs", { latencyMs });
  const ours = await pullContacts(bed, sql, provider).finally(() => sql.end());
  const { access_token: accessToken } = (await control(bed, "tokens", { action: "issue" })) as { access_token: string };
  const { url } = bed.mock;
  const floor = await runFloor({ provider, url, accessToken, fields: ours.fields, dbUrl: bed.stack.dbUrl });
  if (ours.rows !== floor.rows)
    throw new Error(`${ours.rows} contacts arrived, ${floor.rows} are in the mock ${provider}.`);
  const ratio = ours.seconds / floor.seconds;
  const line = {
    bench: "first-sync",
    case: latencyMs === 0 ? provider : `${provider}-${latencyMs}ms`,
    latency_ms: latencyMs,
    n: ours.rows,
    seconds: rounded(ours.seconds),
    floor_seconds: rounded(floor.seconds),
    ratio: rounded(ratio),
    records_per_second: Math.round(ours.rows / ours.seconds),
    peak_rss_mb: ours.peakRssMb,
    target: TARGET,
    ok: ratio <= TARGET,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  return line.ok;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

for (const provider of PROVIDERS.filter((one) => options.provider.includes(one))) {
  for (const latencyMs of options.latency?.map(Number) ?? LATENCIES[provider]) {
    const bed = { provider, records, portBase: Number(options["port-base"]) };
    if (!(await withBed(bed, (ready) => measure(ready, provider, latencyMs)))) process.exitCode = 1;
  }
}
