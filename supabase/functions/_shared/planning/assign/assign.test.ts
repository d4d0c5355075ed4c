import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignPlaces } from "./assign.ts";
import { FlowNetwork } from "./minCostFlow.ts";
import { canHold, type Option, type Person, type Place } from "./places.ts";

const place = (id: string, load: number[], critical = false): Place => ({ id, load, critical });
const person = (id: string, free: number[]): Person => ({ id, free });

describe("flow", () => {
  it("by hand: the cheap way first, the dear one for the rest", () => {
    const network = new FlowNetwork(4);
    const cheap = network.addEdge(0, 1, 2, 1);
    const dear = network.addEdge(0, 2, 3, 5);
    network.addEdge(1, 3, 2, 0);
    network.addEdge(2, 3, 2, 0);
    expect(network.sendAll(0, 3)).toEqual({ flow: 4, cost: 12 });
    expect([network.flowOn(cheap), network.flowOn(dear)]).toEqual([2, 2]);
  });
});

describe("assignment", () => {
  it("does not give the only specialist away to a place that anybody could take", () => {
    const options = [
      { place: 0, person: 0, score: 100 },
      { place: 0, person: 1, score: 60 },
      { place: 1, person: 0, score: 50 },
    ];
    const { byPlace, filled, proven } = assignPlaces(
      [place("any", [1]), place("special", [1])],
      [person("ada", [1]), person("bob", [1])],
      options,
    );
    expect([byPlace, filled, proven]).toEqual([[1, 0], 2, true]);
  });

  it("a critical place comes before two others", () => {
    const places = [place("a", [0.5]), place("b", [0.5]), place("key", [1], true)];
    const { byPlace } = assignPlaces(
      places,
      [person("ada", [1])],
      [0, 1, 2].map((index) => ({ place: index, person: 0, score: index === 2 ? 1 : 100 })),
    );
    expect(byPlace).toEqual([null, null, 0]);
  });

  it("one person takes places one after the other, or side by side as far as the time goes", () => {
    const after = [place("spring", [1, 0]), place("autumn", [0, 1])];
    const both = [0, 1].map((index) => ({ place: index, person: 0, score: 100 }));
    expect(assignPlaces(after, [person("ada", [1, 1])], both).filled).toBe(2);
    const beside = [place("a", [0.6, 0]), place("b", [0.4, 0])];
    expect(assignPlaces(beside, [person("ada", [1, 0])], both).filled).toBe(2);
    expect(assignPlaces(beside, [person("ada", [0.9, 1])], both).filled).toBe(1);
  });

  it("without places, people or options there is nothing to do", () => {
    expect(assignPlaces([], [], [])).toEqual({ byPlace: [], filled: 0, score: 0, proven: true });
    expect(assignPlaces([place("a", [1])], [], [])).toMatchObject({ byPlace: [null], filled: 0, proven: true });
  });

  it("says when it stopped searching", () => {
    // The flow sees two whole slices and takes both; side by side they need more than the first.
    const beside = [place("a", [0.6, 0]), place("b", [0.6, 0])];
    const both = [0, 1].map((index) => ({ place: index, person: 0, score: 100 }));
    expect(assignPlaces(beside, [person("ada", [1, 1])], both, 1)).toMatchObject({ filled: 1, proven: false });
    expect(assignPlaces(beside, [person("ada", [1, 1])], both)).toMatchObject({ filled: 1, proven: true });
  });
});

const share = fc.constantFrom(0, 0.25, 0.4, 0.5, 0.6, 1);
const slices = 2;
const problem = fc.record({
  places: fc.array(
    fc.record({ load: fc.array(share, { minLength: slices, maxLength: slices }), critical: fc.boolean() }),
    { maxLength: 5 },
  ),
  people: fc.array(fc.array(share, { minLength: slices, maxLength: slices }), { maxLength: 3 }),
  scores: fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 15, maxLength: 15 }),
});
interface Problem {
  places: Place[];
  people: Person[];
  options: Option[];
}
const problems = problem.map(
  ({ places, people, scores }): Problem => ({
    places: places.map(({ load, critical }, index) => place(`p${index}`, load, critical)),
    people: people.map((free, index) => person(`w${index}`, free)),
    // A score of less than 30 stands for "cannot".
    options: places
      .flatMap((_, p) => people.map((__, w) => ({ place: p, person: w, score: scores[p * 3 + w] ?? 0 })))
      .filter(({ score }) => score >= 30),
  }),
);

/** Every way to fill the places, compared as the goal says. */
function bruteForce({ places, people, options }: Problem): number[] {
  let best = [0, 0, 0];
  const walk = (at: number, byPlace: (number | null)[]) => {
    if (at === places.length) {
      const holds = people.every((who, w) =>
        canHold(
          who,
          places.filter((_, p) => byPlace[p] === w),
        ),
      );
      if (holds) best = better(best, goal({ places, people, options }, byPlace));
      return;
    }
    walk(at + 1, [...byPlace, null]);
    for (const option of options.filter((one) => one.place === at)) walk(at + 1, [...byPlace, option.person]);
  };
  walk(0, []);
  return best;
}

function goal({ places, options }: Problem, byPlace: readonly (number | null)[]): number[] {
  const taken = [...byPlace.keys()].filter((p) => byPlace[p] !== null);
  const score = options.reduce((sum, one) => sum + (byPlace[one.place] === one.person ? one.score : 0), 0);
  return [taken.filter((p) => places[p]?.critical).length, taken.length, score];
}

function better(a: number[], b: number[]): number[] {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at === -1 || (a[at] as number) > (b[at] as number) ? a : b;
}

describe("assignment, for any small problem", () => {
  it("is as good as the best of all ways, and books nobody twice", () => {
    fc.assert(
      fc.property(problems, (given) => {
        const { byPlace, filled, proven } = assignPlaces(given.places, given.people, given.options);
        expect(proven).toBe(true);
        for (const [w, who] of given.people.entries())
          expect(
            canHold(
              who,
              given.places.filter((_, p) => byPlace[p] === w),
            ),
          ).toBe(true);
        for (const [p, w] of byPlace.entries())
          if (w !== null) expect(given.options.some((one) => one.place === p && one.person === w)).toBe(true);
        expect(filled).toBe(byPlace.filter((w) => w !== null).length);
        expect(goal(given, byPlace)).toEqual(bruteForce(given));
      }),
      { numRuns: 400, seed: 20 },
    );
  });

  it("cut short it is still valid", () => {
    fc.assert(
      fc.property(problems, (given) => {
        const { byPlace } = assignPlaces(given.places, given.people, given.options, 1);
        for (const [w, who] of given.people.entries())
          expect(
            canHold(
              who,
              given.places.filter((_, p) => byPlace[p] === w),
            ),
          ).toBe(true);
      }),
      { numRuns: 100, seed: 21 },
    );
  });
});
