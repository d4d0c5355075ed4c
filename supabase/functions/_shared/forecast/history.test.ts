import { describe, expect, it } from "vitest";
import { COMMON_SHARE, latentCorrelation } from "../planning/probability/clusters.ts";
import { parseDay } from "../planning/time/days.ts";
import { periodsFrom } from "../planning/time/periods.ts";
import { correlationOf, newBusinessOf, outlooksOfLives, timingOf } from "./history.ts";
import { inputsOf } from "./testing.ts";

const asOf = parseDay("2026-11-02") ?? 0;
const months = (count: number) => periodsFrom(asOf, count, "month");

describe("delays of past deals", () => {
  it("speak for their stage from twenty deals on, for all stages together, and else not at all", () => {
    const timing = timingOf([
      { stage: "lead", days: 30, n: 19 },
      { stage: "proposal", days: -3, n: 20 },
    ]);
    expect([...timing.keys()].sort()).toEqual(["", "proposal"]);
    expect(new Set(timing.get("proposal"))).toEqual(new Set([-3]));
    expect(new Set(timing.get(""))).toEqual(new Set([-3, 30]));
    expect(timingOf([{ stage: "lead", days: 5, n: 19 }]).size).toBe(0);
  });
});

describe("how surely deals go together", () => {
  it("is learned with the weight of each stage's deals, and usual without any", () => {
    const learned = (n: number, common_share: number) => ({
      stage: "lead",
      rate: 0.5,
      n,
      low: 0,
      high: 1,
      common_share,
    });
    expect(correlationOf(inputsOf(), false)).toEqual({ market: latentCorrelation(COMMON_SHARE), client: 0 });
    const inputs = inputsOf({ learned: [learned(30, 0.1), learned(10, 0.3)] });
    expect(correlationOf(inputs, false).market).toBeCloseTo(latentCorrelation(0.15), 12);
  });

  it("never leaves nothing for the deal itself", () => {
    const inputs = inputsOf({ learned: [{ stage: "lead", rate: 0.5, n: 10, low: 0, high: 1, common_share: 0.9 }] });
    inputs.settings.client_correlation = 0.9;
    const { market, client } = correlationOf(inputs, true);
    expect(market + client).toBeLessThanOrEqual(0.95 + Number.EPSILON);
  });
});

describe("deals that nobody has dated", () => {
  const life = (end: "won" | "lost" | "open", days: number, n: number) => ({
    landmark: "2026-10-01",
    band: 0,
    days,
    end,
    n,
  });

  it("go the way of earlier ones of their age, once enough of these are closed", () => {
    expect(
      outlooksOfLives(inputsOf({ lives: [life("won", 10, 10), life("lost", 5, 9)] }), asOf, months(12)),
    ).toBeNull();
    const outlooks = outlooksOfLives(
      inputsOf({ lives: [life("won", 10, 300), life("lost", 5, 100)] }),
      asOf,
      months(12),
    );
    const [young] = outlooks?.byBand ?? [];
    // 75 % of them were won, all on their tenth day; one landmark alone is worth ten deals at most, against a belief of 50 %.
    expect(young?.won).toBeGreaterThan(0.5);
    expect(young?.won).toBeLessThan(0.75);
    expect(new Set(young?.daysToWin)).toEqual(new Set([10]));
  });
});

describe("new business", () => {
  it("is the mean of earlier years by month, from today on, in the currency of the forecast", () => {
    const win = (turn: number, month: number, n: number, currency = "USD") => ({
      turn,
      month,
      currency,
      n,
      total: n * 100,
      squares: n * 10_000,
    });
    const inputs = inputsOf({ new_business: { origins: 2, wins: [win(1, 0, 30), win(1, 1, 4), win(2, 1, 2, "EUR")] } });
    const exchange = { currency: "USD", rates: new Map([["EUR", 2]]) };
    const business = newBusinessOf(inputs, asOf, months(3), exchange);
    // November has 29 of its 30 days left; December (4 + 2) / 2; January none.
    expect(business?.wins.map((count) => Math.round(count * 1e9) / 1e9)).toEqual([14.5, 3, 0]);
    // 34 wins of 100 dollars and two of 200.
    expect(business?.meanValue).toBe(Math.round((34 * 10_000 + 2 * 20_000) / 36));
    expect(newBusinessOf(inputsOf(), asOf, months(3), exchange)).toBeNull();
  });
});
