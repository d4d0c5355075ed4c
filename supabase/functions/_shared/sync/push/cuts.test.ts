import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Killed, PushBed } from "./testing.bed.ts";

let bed: PushBed;

describe("a cut at any moment", () => {
  const verbs = [
    "claim",
    "beginPush",
    "keepCheckpoint",
    "takeOutbound",
    "isUnchanged",
    "settleOutbound",
    "mergePage",
    "dueDirty",
    "settleDirty",
    "finish",
  ];
  const moments = verbs.flatMap((verb) => [verb, `${verb} committed`]);
  const calls = ["create", "update", "delete", "fetch", "look up"].flatMap((call) => [
    `${call} accounts`,
    `${call} accounts done`,
  ]);

  /** Dies at the nth time that something of this name happens, and does nothing more until the next slice. */
  function dieAt(name: string, nth: number): { cuts: () => number } {
    let seen = 0;
    let cuts = 0;
    const at = (now: string) => {
      if (now === name) seen += 1;
      if (now === name && seen === nth) {
        bed.dead = true;
        cuts += 1;
      }
      if (bed.dead) throw new Killed();
    };
    bed.run.before = at;
    bed.crm.onCall = at;
    return { cuts: () => cuts };
  }

  it("converges when run again, and creates nothing twice", async () => {
    const work = fc.array(fc.constantFrom("create", "update", "delete"), { minLength: 1, maxLength: 7 });
    let cut = 0;
    await fc.assert(
      fc.asyncProperty(
        work,
        fc.constantFrom(...moments, ...calls),
        fc.integer({ min: 1, max: 4 }),
        async (steps, name, nth) => {
          bed = new PushBed();
          for (const [at, step] of steps.entries()) {
            if (step === "create") bed.run.outbox.edit("accounts", `new-${at}`, { name: `New ${at}` });
            else bed.linked(`a${at}`, `Before ${at}`);
            if (step === "delete") bed.run.outbox.remove(`key-a${at}`);
            if (step === "update") bed.run.outbox.edit("accounts", `key-a${at}`, { name: `After ${at}` });
          }
          const { cuts } = dieAt(name, nth);
          await bed.converge();
          await bed.converge({ claim: { phases: ["dirty", "push"] } });
          const wanted = steps.flatMap((step, at) =>
            step === "delete" ? [] : [step === "create" ? `New ${at}` : `After ${at}`],
          );
          cut += cuts();
          expect(bed.names().sort()).toEqual(wanted.sort());
        },
      ),
      { numRuns: 400, seed: 20261121 },
    );
    expect(cut).toBeGreaterThan(100);
  });
});
