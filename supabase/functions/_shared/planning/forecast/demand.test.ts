import { describe, expect, it } from "vitest";
import { tableOfShifts } from "../timing/shifts.ts";
import { type DrawnDeal, INDEPENDENT } from "./model.ts";
import { finish } from "./revenue.ts";
import { type DemandModel, demandRuns, forecastDemand, moverOfWeeks } from "./simulateDemand.ts";

const deal = (id: string, more: Partial<DrawnDeal> = {}): DrawnDeal => ({
  id,
  clientId: null,
  value: 0,
  rate: 1,
  closeDay: 0,
  timing: tableOfShifts([]),
  ...more,
});
/** One week before a horizon of four. */
const react = (dealId: string, ...hours: number[]) => ({
  dealId,
  group: "react",
  mover: () => moverOfWeeks(Float64Array.from(hours), 1, 4),
});
const model = (deals: DrawnDeal[], more: Partial<DemandModel> = {}): DemandModel => ({
  periods: 4,
  deals,
  profiles: deals.map(({ id }) => react(id, 0, 40, 40, 0, 0)),
  correlation: INDEPENDENT,
  ...more,
});
const forecast = (given: DemandModel) => finish(forecastDemand(given, { runs: 4_000, seed: 1 }));

describe("Monte Carlo of demand", () => {
  it("a certain deal asks for its hours in every run, two of them for twice as many", () => {
    const [asked] = forecast(model([deal("a"), deal("b")]));
    expect(asked?.periods.map(({ p10, p90 }) => [p10, p90])).toEqual([
      [80, 80],
      [80, 80],
      [0, 0],
      [0, 0],
    ]);
  });

  it("a deal of 50 % asks for half of them on average", () => {
    const [asked] = forecast(model([deal("a", { rate: 0.5 })]));
    expect(asked?.periods[0]?.mean).toBeCloseTo(20, -0.4);
    expect([asked?.periods[0]?.p10, asked?.periods[0]?.p90]).toEqual([0, 40]);
  });

  it("slips with the closing day, by whole weeks, and never comes earlier", () => {
    const weeksAt = (days: number) =>
      forecast(model([deal("a", { timing: tableOfShifts([days]) })]))[0]?.periods.map(({ p50 }) => p50);
    expect(weeksAt(14)).toEqual([0, 0, 40, 40]);
    expect(weeksAt(-30)).toEqual([40, 40, 0, 0]);
    expect(weeksAt(700)).toEqual([0, 0, 0, 0]);
  });

  it("what began before the horizon slips into it", () => {
    const early = model([deal("a", { timing: tableOfShifts([7]) })], {
      profiles: [react("a", 24, 0, 0, 0, 0)],
    });
    expect(forecast(early)[0]?.periods.map(({ p50 }) => p50)).toEqual([24, 0, 0, 0]);
  });

  it("keeps to its room: the more groups and weeks, the fewer runs", () => {
    expect(demandRuns(10_000, 20, 52)).toBe(7_692);
    expect(demandRuns(1_000, 1, 1)).toBe(1_000);
    expect(demandRuns(10_000, 1_000_000, 260)).toBe(1);
  });

  it("nobody asked for, nothing answered", () => {
    expect(forecast(model([deal("a")], { profiles: [] }))).toEqual([]);
  });
});
