import { type CrmError, CrmFailure, type WriteResult } from "./contract.ts";
import { failure } from "./errors.ts";

/** What the writes of both CRMs have in common: results, batches and the one record that spoils a batch. */

export type WriteError = NonNullable<WriteResult["error"]>;

export function written(key: string, id: string): WriteResult {
  return { key, outcome: "written", id };
}

export function failed(key: string, error: WriteError, id: string | null = null): WriteResult {
  return { key, outcome: "failed", id, error };
}

export function assertBatchSize(count: number, most: number, crm: string): void {
  if (count <= most) return;
  throw failure("rejected", "batch_too_large", `${crm} takes ${most} records at a time, not ${count}.`);
}

/** CRMs refuse a batch that names one record twice: the second time goes into a batch of its own. */
export function inRounds<W>(writes: readonly W[], idOf: (write: W) => string): W[][] {
  const rounds: W[][] = [];
  const times = new Map<string, number>();
  for (const write of writes) {
    const id = idOf(write);
    const round = times.get(id) ?? 0;
    times.set(id, round + 1);
    rounds[round] = [...(rounds[round] ?? []), write];
  }
  return rounds;
}

export interface Sending<W> {
  send: (writes: readonly W[]) => Promise<WriteResult[]>;
  /** The refusal of a whole call as the result of one write. */
  refused: (write: W, error: CrmError) => WriteResult;
  /** Can it be the fault of a single record? */
  blamesRecords: (error: CrmError) => boolean;
}

/** Enough to find a few bad records among 200. */
const CALLS = 40;

/**
 * One value that a CRM cannot read makes it refuse the whole batch, and nothing of it is written: halves find the record
 * that is to blame, so that the others get through.
 */
export async function sendInParts<W>(
  writes: readonly W[],
  sending: Sending<W>,
  budget = { calls: CALLS },
): Promise<WriteResult[]> {
  if (writes.length === 0) return [];
  budget.calls -= 1;
  try {
    return await sending.send(writes);
  } catch (error) {
    if (!(error instanceof CrmFailure) || !sending.blamesRecords(error.detail)) throw error;
    return halves(writes, error.detail, sending, budget);
  }
}

async function halves<W>(
  writes: readonly W[],
  error: CrmError,
  sending: Sending<W>,
  budget: { calls: number },
): Promise<WriteResult[]> {
  const [only] = writes;
  if (only !== undefined && writes.length === 1) return [sending.refused(only, error)];
  if (budget.calls < 2) return allFailed(writes, { ...error, kind: "transient" }, sending);
  const middle = Math.ceil(writes.length / 2);
  const first = await sendInParts(writes.slice(0, middle), sending, budget);
  return [
    ...first,
    ...(await knowingSome(writes.slice(middle), sending, () => sendInParts(writes.slice(middle), sending, budget))),
  ];
}

/** Something was written before: a failure from here on belongs to these records only. */
export async function knowingSome<W>(
  writes: readonly W[],
  sending: Pick<Sending<W>, "refused">,
  send: () => Promise<WriteResult[]>,
): Promise<WriteResult[]> {
  try {
    return await send();
  } catch (error) {
    if (!(error instanceof CrmFailure)) throw error;
    return allFailed(writes, forOneRecord(error.detail), sending);
  }
}

/** Of one record a failure says: never again like this, or later. */
export function forOneRecord(error: WriteError): WriteError {
  return error.kind === "rejected" ? error : { ...error, kind: "transient" };
}

function allFailed<W>(writes: readonly W[], error: CrmError, { refused }: Pick<Sending<W>, "refused">): WriteResult[] {
  return writes.map((write) => refused(write, error));
}

/** Round after round; the first one may fail as a whole, the later ones no longer. */
export async function sendRounds<W>(rounds: readonly (readonly W[])[], sending: Sending<W>): Promise<WriteResult[]> {
  const [first = [], ...later] = rounds;
  const results = await sendInParts(first, sending);
  for (const round of later) results.push(...(await knowingSome(round, sending, () => sendInParts(round, sending))));
  return results;
}
