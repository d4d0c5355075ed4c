import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Ask, coverAsks, type Giver } from "./coverage.ts";

const serves = (...keys: string[]) => keys.map((key, cost) => ({ key, cost }));

describe("what a team can cover", () => {
  it("counts a person of two skills once", () => {
    const asks = [
      { key: "react", minutes: 60 },
      { key: "vue", minutes: 60 },
    ];
    expect(coverAsks(asks, [{ id: "ada", minutes: 60, serves: serves("react", "vue") }])).toEqual({
      minutes: 60,
      covered: new Map([
        ["react", 60],
        ["vue", 0],
      ]),
    });
  });

  it("leaves the one with two skills to what only they can do", () => {
    const asks = [
      { key: "react", minutes: 60 },
      { key: "vue", minutes: 60 },
    ];
    const team = [
      { id: "ada", minutes: 60, serves: serves("react", "vue") },
      { id: "bob", minutes: 60, serves: serves("react") },
    ];
    expect(coverAsks(asks, team).minutes).toBe(120);
  });

  it("is what Hall's condition allows: for every set of asks no more than its people have", () => {
    const keys = ["a", "b", "c"];
    const ask = fc.nat({ max: 100 });
    const giver = fc.record({ minutes: fc.nat({ max: 100 }), serves: fc.subarray(keys) });
    fc.assert(
      fc.property(fc.tuple(ask, ask, ask), fc.array(giver, { maxLength: 5 }), (minutes, team) => {
        const asks: Ask[] = keys.map((key, index) => ({ key, minutes: minutes[index] as number }));
        const givers: Giver[] = team.map((one, index) => ({
          id: `${index}`,
          minutes: one.minutes,
          serves: serves(...one.serves),
        }));
        const found = coverAsks(asks, givers);
        expect(found.minutes).toBe(minimumCut(asks, givers));
        expect([...found.covered.values()].reduce((a, b) => a + b, 0)).toBe(found.minutes);
        for (const { key, minutes: wanted } of asks) expect(found.covered.get(key)).toBeLessThanOrEqual(wanted);
      }),
      { seed: 25 },
    );
  });
});

/** Max flow is min cut (Ford and Fulkerson): tried over every set of asks that are given up. */
function minimumCut(asks: readonly Ask[], givers: readonly Giver[]): number {
  const cuts = Array.from({ length: 2 ** asks.length }, (_, mask) => {
    const kept = new Set(asks.filter((__, index) => (mask & (1 << index)) === 0).map(({ key }) => key));
    const lost = asks.filter(({ key }) => !kept.has(key)).reduce((sum, { minutes }) => sum + minutes, 0);
    const team = givers.filter((giver) => giver.serves.some(({ key }) => kept.has(key)));
    return lost + team.reduce((sum, { minutes }) => sum + minutes, 0);
  });
  return Math.min(...cuts);
}
