import { parseArgs } from "node:util";
import postgres, { type Sql } from "postgres";
import { findPortBase } from "../scripts/lib/ports.ts";
import { type Bed, type Provider, withBed } from "./lib/bed.ts";
import { report, rounded } from "./lib/report.ts";
import { type BenchWorkspace, connectedWorkspace, control, liftCallLimits, timedSync } from "./lib/workspace.ts";

/**
 * What edits of ours cost on their way to a CRM: contacts per second against a CRM that knows no limit, and with HubSpot's
 * limits the share of the allowed calls that a run really makes. A call beyond them is refused and fails the case.
 * --latency N has the mock wait so many ms before each answer.
 */

const { values: options } = parseArgs({
  options: {
    records: { type: "string", default: "5000" },
    "limited-records": { type: "string", default: "20000" },
    latency: { type: "string", multiple: true, default: ["0"] },
    only: { type: "string", multiple: true, default: ["salesforce", "hubspot", "hubspot-limits"] },
    "port-base": { type: "string", default: "15600" },
  },
});
const RECORDS_PER_SECOND = 500;
const HUBSPOT_CALLS = 110;
const HUBSPOT_CALLS_PER_SECOND = HUBSPOT_CALLS / 10;
const SHARE = 0.9;

interface Counters {
  requests: number;
  rows_written: number;
  families: Record<string, number>;
  statuses: Record<string, number>;
}

interface Pushed {
  seconds: number;
  counters: Counters;
}

/** Edits one field of every contact and pushes the edits. */
async function push(bed: Bed, sql: Sql, workspace: BenchWorkspace, latencyMs: number): Promise<Pushed> {
  await control(bed, "knobs", { latencyMs });
  await sql`update public.crm_contacts set title = 'Edited ' || now() where workspace_id = ${workspace.workspaceId}`;
  await control(bed, "reset", { data: false, knobs: false });
  const seconds = await timedSync(workspace, sql, { entities: ["contacts"], direction: "to_crm" });
  return { seconds, counters: (await control(bed, "counters")) as Counters };
}

async function withSyncedContacts(
  provider: Provider,
  records: number,
  run: (bed: Bed, sql: Sql, workspace: BenchWorkspace) => Promise<void>,
): Promise<void> {
  const portBase = await findPortBase(Number(options["port-base"]));
  await withBed({ provider, records, portBase }, async (bed) => {
    const sql = postgres(bed.stack.dbUrl, { max: 1, onnotice: () => {} });
    try {
      await liftCallLimits(sql);
      const workspace = await connectedWorkspace(bed, sql);
      await timedSync(workspace, sql, { direction: "from_crm" });
      await run(bed, sql, workspace);
    } finally {
      await sql.end();
    }
  });
}

function speed(provider: Provider, latencyMs: number): Promise<void> {
  const records = Number(options.records);
  return withSyncedContacts(provider, records, async (bed, sql, workspace) => {
    const { seconds, counters } = await push(bed, sql, workspace, latencyMs);
    const rate = Math.round(counters.rows_written / seconds);
    report({
      bench: "push",
      case: provider,
      latency_ms: latencyMs,
      n: records,
      written: counters.rows_written,
      calls: counters.requests,
      seconds: rounded(seconds, 3),
      value: rate,
      unit: "records/s",
      target: RECORDS_PER_SECOND,
      ok: counters.rows_written === records && rate >= RECORDS_PER_SECOND,
    });
  });
}

function limits(latencyMs: number): Promise<void> {
  const records = Number(options["limited-records"]);
  return withSyncedContacts("hubspot", records, async (bed, sql, workspace) => {
    await control(bed, "knobs", { rateLimits: true });
    await sql`update private.crm_call_limits set calls = ${HUBSPOT_CALLS} where bucket = 'calls'`;
    await sql`delete from private.crm_buckets`;
    const { seconds, counters } = await push(bed, sql, workspace, latencyMs);
    const searches = Object.entries(counters.families).filter(([family]) => family.includes("search"));
    const calls = counters.requests - searches.reduce((sum, [, count]) => sum + count, 0);
    const refused = counters.statuses["429"] ?? 0;
    const share = rounded((calls - refused) / (HUBSPOT_CALLS_PER_SECOND * seconds), 3);
    report({
      bench: "push",
      case: "hubspot-limits",
      latency_ms: latencyMs,
      n: records,
      written: counters.rows_written,
      calls,
      refused,
      seconds: rounded(seconds, 3),
      records_per_second: Math.round(counters.rows_written / seconds),
      value: share,
      unit: "of the allowed calls",
      target: SHARE,
      ok: counters.rows_written === records && share >= SHARE && refused === 0,
    });
  });
}

const CASES: Record<string, (latencyMs: number) => Promise<void>> = {
  salesforce: (latencyMs) => speed("salesforce", latencyMs),
  hubspot: (latencyMs) => speed("hubspot", latencyMs),
  "hubspot-limits": limits,
};

for (const name of options.only) {
  const one = CASES[name];
  if (one === undefined) throw new Error(`There is no case "${name}"; there are ${Object.keys(CASES).join(", ")}.`);
  for (const latency of options.latency) await one(Number(latency));
}
