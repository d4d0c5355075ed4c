import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type Beds, openBeds } from "./bed.ts";
import { historiesOf, playHistories } from "./histories.ts";

const HISTORIES = Number(process.env.CONVERGENCE_HISTORIES ?? 500);
const SEED = Number(process.env.CONVERGENCE_SEED ?? 20_261_121);
/** Files that play histories side by side, each in a process of its own. */
const SHARES = 2;
const BEDS = 2;

/** Every second history, from the first or from the second on. */
export function playShare(share: 0 | 1): void {
  let beds: Beds;
  beforeAll(async () => {
    beds = await openBeds(inject("convergenceDb"), BEDS);
  });
  afterAll(() => beds?.close());

  const histories = historiesOf(SEED, HISTORIES).filter(({ number }) => number % SHARES === share);

  test(`${histories.length} of ${HISTORIES} histories of edits, creations, deletions and merges in three systems end in agreement, whatever goes wrong on the way (seed ${SEED})`, async () => {
    const { played, failure } = await playHistories({ beds: beds.all, seed: SEED, histories });
    expect(failure, `to play it again: ${JSON.stringify(failure)}`).toBeNull();
    expect(played).toBe(histories.length);
    expect(played).toBeGreaterThan(0);
  }, 3_600_000);
}
