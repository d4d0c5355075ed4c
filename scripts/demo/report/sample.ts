import type { PlanningReport } from "./data.ts";

/** A small report for the tests of the page: every kind of stage, a week without people, and a name that needs escaping. */
export const SAMPLE: PlanningReport = {
  title: "Pipeline & capacity",
  source: "Invented for a test.",
  asOf: "2026-11-21",
  currency: "USD",
  funnel: [
    { stage: "lead", label: "Prospecting", kind: "open", deals: 500, value: 900_000, weighted: 90_000 },
    { stage: "proposal", label: "Engaging", kind: "open", deals: 1_589, value: 3_000_000, weighted: 1_200_000 },
    { stage: "hold", label: "On <hold>", kind: "on_hold", deals: 3, value: 0, weighted: 0 },
    { stage: "won", label: "Won", kind: "won", deals: 4_238, value: 10_005_534, weighted: 10_005_534 },
    { stage: "lost", label: "Lost", kind: "lost", deals: 2_473, value: 0, weighted: 0 },
  ],
  forecast: {
    runs: 10_000,
    seed: 2017,
    total: {
      p10: 1_200_000,
      p50: 1_900_000,
      p90: 2_600_000,
      withNew: { p10: 1_900_000, p50: 2_700_000, p90: 3_600_000 },
    },
    periods: ["2026-11", "2026-12", "2027-01"].map((period, at) => ({
      period,
      closed: at === 0 ? 120_000 : 0,
      weighted: 500_000 + at * 50_000,
      p10: 300_000 + at * 20_000,
      p50: 600_000 + at * 40_000,
      p90: 900_000 + at * 60_000,
      withNew: { p10: 500_000, p50: 850_000 + at * 50_000, p90: 1_200_000 },
    })),
  },
  capacity: {
    weeks: ["2026-11-23", "2026-11-30", "2026-12-07", "2026-12-14"],
    skills: [
      {
        skill: "Project management",
        people: 4,
        weeks: [80, 110, 150, 260].map((demand) => ({ capacity: 160, allocated: 0, demand })),
      },
      {
        skill: "Field service",
        people: 2,
        weeks: [
          { capacity: 80, allocated: 60, demand: 10 },
          { capacity: 80, allocated: 60, demand: 30 },
          { capacity: 0, allocated: 0, demand: 40 },
          { capacity: 0, allocated: 0, demand: 0 },
        ],
      },
    ],
  },
  hiring: [
    { skill: "Field service", level: "senior", people: 1, neededBy: "2026-12-07", openBy: "2026-10-12", late: true },
  ],
};
