import fc from "fast-check";
import type { Bed } from "./bed.ts";
import { type History, history } from "./commands.ts";
import { calm, openStage, play, syncOnce } from "./play.ts";
import { faults, untilQuiet } from "./verdict.ts";

/** Beds that one process keeps busy: while one waits for the database, the others go on. */
export const BEDS = 3;

export interface Numbered {
  number: number;
  history: History;
}

/** The same seed gives the same histories, whatever their number. */
export function historiesOf(seed: number, count: number): Numbered[] {
  return fc.sample(history, { seed, numRuns: count }).map((one, number) => ({ number, history: one }));
}

/** A history that ended badly: enough to play it again. */
export interface Failure {
  seed: number;
  number: number;
  faults: string[];
  history: History;
}

/** Everything that is wrong after a history. One that never comes to rest is a fault as well. */
export async function faultsOf(bed: Bed, one: History): Promise<string[]> {
  const stage = await openStage(bed, one);
  try {
    await play(stage, one.commands);
    calm(bed, one);
    await untilQuiet(stage, (name) => syncOnce(stage, name, []));
    return [...stage.accusations, ...(await faults(stage))];
  } catch (error) {
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
}

export interface PlayOptions {
  beds: readonly Bed[];
  seed: number;
  histories: readonly Numbered[];
  /** Asked before each history. */
  mayGoOn?: () => boolean;
  onPlayed?: (played: number) => void;
}

/** Plays histories on all beds at once up to the first that fails. Answers how many were played. */
export async function playHistories(options: PlayOptions): Promise<{ played: number; failure: Failure | null }> {
  const { seed, histories, mayGoOn = () => true, onPlayed = () => {} } = options;
  let failure: Failure | null = null;
  let played = 0;
  let next = 0;
  const playOn = async (bed: Bed) => {
    while (failure === null && mayGoOn()) {
      const one = histories[next++];
      if (one === undefined) return;
      const found = await faultsOf(bed, one.history);
      if (found.length > 0) failure ??= { seed, faults: found, ...one };
      played += 1;
      onPlayed(played);
    }
  };
  await Promise.all(options.beds.map(playOn));
  return { played, failure };
}
