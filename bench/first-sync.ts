import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import postgres from "postgres";
import { findPortBase } from "../scripts/lib/ports.ts";
import { type Bed, type Provider, withBed } from "./lib/bed.ts";
import { runFloor } from "./lib/floor.ts";
import { connectedWorkspace, control, liftCallLimits, timedSync } from "./lib/workspace.ts";

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
    "port-base": { type: "string", default: "16600" },
  },
});
const records = Number(options.records);

interface Pull {
  seconds: number;
  rows: number;
  fields: string[];
  peakRssMb: number;
}

async function pullContacts(bed: Bed, sql: postgres.Sql): Promise<Pull> {
  const workspace = await connectedWorkspace(bed, sql);
  await timedSync(workspace, sql, { entities: ["accounts"] });
  const seconds = await timedSync(workspace, sql, { entities: ["contacts"] });
  const [count] = await sql<{ rows: number }[]>`
    select count(*)::integer as rows from public.crm_contacts where workspace_id = ${workspace.workspaceId}`;
  const mapped = await sql<{ crm_field: string }[]>`
    select crm_field from public.crm_field_mappings where config_id = ${workspace.configId} and entity_type = 'contacts'`;
  return { seconds, rows: count?.rows ?? 0, fields: mapped.map((row) => row.crm_field), peakRssMb: peakRss(bed) };
}

function peakRss(bed: Bed): number {
  const status = readFileSync(`/proc/${bed.stack.functionPid("crm-sync")}/status`, "utf8");
  return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024);
}

async function measure(bed: Bed, provider: Provider, latencyMs: number): Promise<boolean> {
  const sql = postgres(bed.stack.dbUrl, { max: 1, onnotice: () => {} });
  await control(bed, "knobs", { latencyMs });
  await liftCallLimits(sql);
  const ours = await pullContacts(bed, sql).finally(() => sql.end());
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
    const bed = { provider, records, portBase: await findPortBase(Number(options["port-base"])) };
    if (!(await withBed(bed, (ready) => measure(ready, provider, latencyMs)))) process.exitCode = 1;
  }
}
