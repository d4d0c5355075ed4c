import { describe, expect, it } from "vitest";
import { ChangePipeline } from "../../src/realtime/pipeline.ts";
import type { Change } from "../../src/realtime/wal.ts";

/** Numbered changes; the pipeline does not look into them. */
const change = (number: number) => ({ committedAt: String(number) }) as Change;
const numbers = (batches: Change[][]) => batches.flat().map((one) => Number(one.committedAt));

function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe("the change pipeline", () => {
  it("gathers what arrives while a batch is delivered into the next one, in order", async () => {
    const batches: Change[][] = [];
    const { open, opened } = gate();
    const pipeline = new ChangePipeline(async (batch) => {
      batches.push(batch);
      if (batches.length === 1) await opened;
    }, expect.unreachable);
    pipeline.push(change(0));
    while (batches.length === 0) await new Promise(setImmediate);
    for (let number = 1; number <= 5_000; number++) pipeline.push(change(number));
    open();
    await pipeline.idle();
    expect(batches.map((batch) => batch.length)).toEqual([1, 2_000, 2_000, 1_000]);
    expect(numbers(batches)).toEqual(Array.from({ length: 5_001 }, (_, index) => index));
  });

  it("makes the producer wait when ten thousand changes are waiting, and loses none of them", async () => {
    const batches: Change[][] = [];
    const pipeline = new ChangePipeline(async (batch) => {
      batches.push(batch);
    }, expect.unreachable);
    let waits = 0;
    for (let number = 0; number < 25_000; number++) {
      const room = pipeline.push(change(number));
      if (room) waits++;
      await room;
    }
    await pipeline.idle();
    expect(waits).toBeGreaterThan(0);
    expect(numbers(batches)).toHaveLength(25_000);
  });

  it("goes on after a batch that failed, and says so", async () => {
    const log: string[] = [];
    const delivered: Change[][] = [];
    const pipeline = new ChangePipeline(
      async (batch) => {
        if (delivered.push(batch) === 1) throw new Error("the database is away");
      },
      (line) => log.push(line),
    );
    pipeline.push(change(1));
    await pipeline.idle();
    pipeline.push(change(2));
    await pipeline.idle();
    expect(numbers(delivered)).toEqual([1, 2]);
    expect(log).toEqual(["realtime: a batch of 1 change(s) was not delivered: the database is away"]);
  });
});
