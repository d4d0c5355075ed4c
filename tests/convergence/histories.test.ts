import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Bed, startBed } from "./lib/bed.ts";
import { history } from "./lib/commands.ts";
import { openStage, play } from "./lib/play.ts";
import { faults, settle } from "./lib/verdict.ts";

const HISTORIES = Number(process.env.CONVERGENCE_HISTORIES ?? 500);
const SEED = Number(process.env.CONVERGENCE_SEED ?? 20_261_121);

let bed: Bed;
beforeAll(async () => {
  bed = await startBed(17_200);
});
afterAll(() => bed?.stop());

test(
  `${HISTORIES} histories of edits, creations, deletions and merges in three systems end in agreement, whatever goes wrong on the way (seed ${SEED})`,
  async () => {
    await fc.assert(
      fc.asyncProperty(history, async (one) => {
        const stage = await openStage(bed, one);
        await play(stage, one.commands);
        await settle(stage);
        expect(await faults(stage)).toEqual([]);
      }),
      { numRuns: HISTORIES, seed: SEED, endOnFailure: process.env.CONVERGENCE_SHRINK === undefined },
    );
  },
  3_600_000,
);
