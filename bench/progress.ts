import { parseArgs } from "node:util";
import postgres from "postgres";
import { findPortBase } from "../scripts/lib/ports.ts";
import { type Bed, withBed } from "./lib/bed.ts";
import { percentile, report, rounded } from "./lib/report.ts";
import { connectedWorkspace, timedSync } from "./lib/workspace.ts";

/** From the commit of a run's progress to a subscriber that shows it, during a first pull. */

const TARGET_MS = 500;

const { values: options } = parseArgs({ options: { records: { type: "string", default: "20000" } } });

async function run(bed: Bed): Promise<void> {
  const sql = postgres(bed.stack.dbUrl, { max: 1, onnotice: () => {} });
  const delays: number[] = [];
  try {
    const workspace = await connectedWorkspace(bed, sql);
    const channel = workspace.client.channel("progress");
    await new Promise<void>((resolve, reject) => {
      channel
        .on("postgres_changes", { event: "UPDATE", schema: "public", table: "crm_sync_operations" }, (change) => {
          delays.push(Date.now() - Date.parse(change.commit_timestamp));
        })
        .subscribe((status, error) => {
          if (status === "SUBSCRIBED") resolve();
          else if (error) reject(error);
        });
    });
    await timedSync(workspace, sql, { direction: "from_crm" });
    await workspace.client.removeChannel(channel);
    workspace.client.realtime.disconnect();
  } finally {
    await sql.end();
  }
  if (delays.length === 0) throw new Error("No progress arrived.");
  const p95 = percentile(delays, 0.95);
  report({
    bench: "progress",
    case: "commit-to-subscriber",
    n: delays.length,
    p50_ms: rounded(percentile(delays, 0.5)),
    p95_ms: rounded(p95),
    value: rounded(p95),
    unit: "ms",
    target: TARGET_MS,
    ok: p95 < TARGET_MS,
  });
}

await withBed({ provider: "hubspot", records: Number(options.records), portBase: await findPortBase(15_400) }, run);
