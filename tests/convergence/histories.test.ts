import { afterAll, beforeAll, expect, test } from "vitest";
import { type Beds, startBeds } from "./lib/bed.ts";
import { BEDS, historiesOf, playHistories } from "./lib/histories.ts";

const HISTORIES = Number(process.env.CONVERGENCE_HISTORIES ?? 500);
const SEED = Number(process.env.CONVERGENCE_SEED ?? 20_261_121);

let beds: Beds;
beforeAll(async () => {
  beds = await startBeds(17_200, BEDS);
});
afterAll(() => beds?.stop());

test(`${HISTORIES} histories of edits, creations, deletions and merges in three systems end in agreement, whatever goes wrong on the way (seed ${SEED})`, async () => {
  const { played, failure } = await playHistories({
    beds: beds.all,
    seed: SEED,
    histories: historiesOf(SEED, HISTORIES),
  });
  expect(failure, `to play it again: ${JSON.stringify(failure)}`).toBeNull();
  expect(played).toBe(HISTORIES);
}, 3_600_000);
