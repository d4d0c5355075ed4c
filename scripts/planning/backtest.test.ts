import { beforeAll, describe, expect, it } from "vitest";
import { monthStart, parseDay } from "../../supabase/functions/_shared/planning/time/days.ts";
import { knownOn } from "./asOf.ts";
import { type MavenDeal, readMavenDeals } from "./maven.ts";
import { trialsOf } from "./quarter.ts";

const START = parseDay("2017-07-01") as number;
const DRAWS = { runs: 200, seed: 1 };
let deals: MavenDeal[];

beforeAll(() => {
  deals = readMavenDeals();
});

describe("the back-test on the Maven data", () => {
  it("reads every deal that was ever engaged", () => {
    const count = (end: MavenDeal["end"]) => deals.filter((deal) => deal.end === end).length;
    expect([count("won"), count("lost"), count("open")]).toEqual([4_238, 2_473, 1_589]);
    expect(deals.filter(({ listPrice }) => listPrice === 0)).toEqual([]);
  });

  it("knows on a day only what was open or closed before it", () => {
    const known = knownOn(deals, START);
    expect(known.every(({ deal }) => deal.engaged < START)).toBe(true);
    // 716 that never close in the data, 969 that close in the quarter, one that closes in the next.
    expect(known.filter(({ open }) => open).length).toBe(1_686);
  });

  it("forecasts the same whatever came later: no day from the quarter on leaks into it", () => {
    const end = monthStart(START, 3);
    const otherFuture = deals
      .filter(({ engaged }) => engaged < START)
      .map(
        (deal): MavenDeal =>
          deal.closed === null || deal.closed < START ? deal : { ...deal, closed: end + 5, end: "lost", value: 0 },
      );
    const totals = (given: MavenDeal[]) =>
      trialsOf(given, "2017Q3", START, "all", DRAWS).filter(({ level }) => level === "total");
    const [real] = totals(deals);
    const [other] = totals(otherFuture);
    expect(other).toEqual({ ...real, actual: 0 });
    expect(real?.actual).toBeGreaterThan(0);
  });
});
