import type { Bed } from "./bed.ts";
import type { Blow, EarlierPages } from "./fate.ts";
import type { Meddler } from "./meddling.ts";
import { endLease, work } from "./worker.ts";

const LIMITS = { sliceMs: 20_000, sliceRecords: 12, mergeRecords: 6, pageSize: 4, leaseSeconds: 30 };
/** A run of a handful of records that takes more slices than this is going round in circles. */
const MOST_SLICES = 150;

export interface RunOptions {
  config: string;
  random: () => number;
  /** What befalls the slices of this run, in order; then nothing does. */
  blows: readonly Blow[];
  meddle: Meddler;
  earlier: EarlierPages;
  accuse: (fault: string) => void;
}

export interface RunEnd {
  status: string;
  error: string | null;
  slices: number;
}

/** One run of a connection from its request to its end, with blows on the way. Time passes as fast as the workers do. */
export async function runConnection(bed: Bed, options: RunOptions): Promise<RunEnd> {
  const { sql } = bed;
  const [, [operation]] = await sql.begin((one) => [
    // As crm_start_sync does: the schedule may queue a run at the same moment.
    one`select from public.crm_sync_configs where id = ${options.config} for no key update`,
    one<{ id: string }[]>`
      select (private.crm_enqueue(c, null, null, 'manual')).id from public.crm_sync_configs c where c.id = ${options.config}`,
  ]);
  if (operation === undefined) throw new Error("The run was not queued.");
  const blows = [...options.blows];
  options.earlier.runBegins();
  await passTime(bed, operation.id);
  for (let slices = 1; slices <= MOST_SLICES; slices += 1) {
    await work({ ...options, bed, limits: LIMITS }, operation.id, blows.shift() ?? null);
    const [run] = await sql<{ status: string; error: string | null }[]>`
      select status, error_message as error from public.crm_sync_operations where id = ${operation.id}`;
    if (run === undefined) throw new Error("The run is gone.");
    if (run.status !== "queued" && run.status !== "running" && run.status !== "paused") return { ...run, slices };
    await passTime(bed, operation.id);
  }
  throw new Error(`The run did not end within ${MOST_SLICES} slices.`);
}

/** What cron finds later: the lease of a dead worker is out, waits are over. */
async function passTime(bed: Bed, operation: string): Promise<void> {
  const { sql } = bed;
  await endLease(bed, operation);
  await sql`update public.crm_sync_operations set status = 'queued' where id = ${operation} and status = 'paused'`;
  await sql`
    update private.crm_buckets b set next_at = least(b.next_at, clock_timestamp())
      from public.crm_sync_operations o
     where o.id = ${operation} and b.config_id = o.config_id`;
  await sql`
    update private.crm_outbox x set not_before = now()
      from public.crm_sync_operations o
     where o.id = ${operation} and x.config_id = o.config_id and x.not_before > now() and x.not_before < 'infinity'`;
}
