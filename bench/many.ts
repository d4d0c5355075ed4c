import { parseArgs } from "node:util";
import postgres, { type Sql } from "postgres";
import { findPortBase } from "../scripts/lib/ports.ts";
import { type Bed, withBed } from "./lib/bed.ts";
import { percentile, report, rounded } from "./lib/report.ts";
import { type BenchWorkspace, connectedWorkspace } from "./lib/workspace.ts";

/**
 * Many workspaces that all ask for a sync at one moment, each with its own connection to one CRM: every one ends well, and
 * the last does not wait longer than its share of the work takes.
 */

/** The last may end this many times later than the middle one: in a fair queue on equal work, about twice. */
const TARGET = 2.5;

const { values: options } = parseArgs({
  options: { workspaces: { type: "string", default: "200" }, records: { type: "string", default: "100" } },
});
const COUNT = Number(options.workspaces);
const CONNECT_AT_ONCE = 4;
const PATIENCE_MS = 600_000;

async function connectAll(bed: Bed, sql: Sql): Promise<BenchWorkspace[]> {
  const connected: BenchWorkspace[] = [];
  const lanes = Array.from({ length: CONNECT_AT_ONCE }, async () => {
    while (connected.length < COUNT) connected.push(await connectedWorkspace(bed, sql));
  });
  await Promise.all(lanes);
  return connected.slice(0, COUNT);
}

interface Ended {
  status: string;
  seconds: number;
  rows: number;
}

async function ends(sql: Sql, runs: readonly string[]): Promise<Ended[]> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const [left] = await sql<{ n: number }[]>`
      select count(*)::int as n from public.crm_sync_operations
       where id = any (${runs as string[]}) and status in ('queued', 'running', 'paused')`;
    if (left?.n === 0) break;
    if (Date.now() > deadline) throw new Error(`${left?.n} runs have not ended.`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return sql<Ended[]>`
    select o.status, extract(epoch from o.completed_at - o.created_at)::float8 as seconds,
      (select count(*)::int from public.crm_contacts c where c.workspace_id = o.workspace_id) as rows
      from public.crm_sync_operations o where o.id = any (${runs as string[]})`;
}

async function run(bed: Bed): Promise<void> {
  const sql = postgres(bed.stack.dbUrl, { max: 4, onnotice: () => {} });
  try {
    const workspaces = await connectAll(bed, sql);
    const configs = workspaces.map((one) => one.configId);
    // Nothing but what is asked for here.
    await sql`update public.crm_sync_configs set sync_frequency = 'manual' where id = any (${configs})`;
    // One statement, so that all begin at one moment.
    const asked = await sql<{ id: string }[]>`
      select (private.crm_enqueue(c, null, 'from_crm', 'manual')).id from public.crm_sync_configs c where c.id = any (${configs})`;
    const all = await ends(
      sql,
      asked.map((run) => run.id),
    );
    const seconds = all.map((one) => one.seconds);
    const good = all.filter((one) => one.status === "completed" && one.rows === Number(options.records)).length;
    const median = percentile(seconds, 0.5);
    const last = Math.max(...seconds);
    const ratio = rounded(last / median);
    report({
      bench: "many",
      case: `${COUNT}-workspaces`,
      n: COUNT,
      completed: good,
      seconds: rounded(last),
      median_seconds: rounded(median),
      ratio,
      target: TARGET,
      ok: good === COUNT && ratio <= TARGET,
    });
  } finally {
    await sql.end();
  }
}

await withBed({ provider: "hubspot", records: Number(options.records), portBase: await findPortBase(15_500) }, run);
