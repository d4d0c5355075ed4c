import { describe, expect, it } from "vitest";
import {
  followDeals,
  type LandmarkRules,
  landmarkClusters,
  outlooksByAge,
  outlooksOf,
  type PastDeal,
} from "./landmarks.ts";

const won = (opened: number, closed: number): PastDeal => ({ opened, closed, won: true });
const lost = (opened: number, closed: number): PastDeal => ({ opened, closed, won: false });
const open = (opened: number): PastDeal => ({ opened, closed: null, won: false });
const rules = (more: Partial<LandmarkRules> = {}): LandmarkRules => ({
  asOf: 200,
  landmarks: [100],
  daysAhead: 90,
  bandDays: 30,
  bands: 3,
  // Weighs nothing, so that the counts can be read off.
  prior: { rate: 0.4, weight: 1e-9 },
  commonShare: 0,
  ...more,
});

describe("landmarks", () => {
  it("by hand: of four deals open on day 100, two young ones are won and lost, of two old ones none is", () => {
    const deals = [won(90, 120), lost(80, 150), open(20), open(30), won(95, 99), won(110, 130)];
    const [young, , old] = outlooksByAge(deals, rules());
    expect(young?.won).toBeCloseTo(1 / 2, 6);
    expect(young?.lost).toBeCloseTo(1 / 2, 6);
    expect(new Set(young?.daysToWin)).toEqual(new Set([21]));
    expect(old?.won).toBeCloseTo(0, 6);
    expect([young?.rate.n, old?.rate.n]).toEqual([2, 2]);
  });

  it("sees nothing of what comes from today on", () => {
    const before = outlooksByAge([won(90, 120), open(90)], rules());
    expect(outlooksByAge([won(90, 120), won(90, 200)], rules())).toEqual(before);
  });

  it("a band in which nobody was leans on the next younger one, the first on what was believed before", () => {
    const [first, second] = outlooksByAge([won(90, 120), lost(90, 130)], rules({ prior: { rate: 0.4, weight: 10 } }));
    expect(first?.won).toBeCloseTo((4 + 1) / 12, 12);
    expect(second?.won).toBeCloseTo(first?.won ?? 0, 12);
    const [unknown] = outlooksByAge([], rules({ prior: { rate: 0.4, weight: 10 } }));
    expect(unknown).toMatchObject({ won: 0.4, lost: 0 });
    expect([Math.min(...(unknown?.daysToWin ?? [])), Math.max(...(unknown?.daysToWin ?? []))]).toEqual([1, 90]);
  });

  it("counted lives say the same as the deals they stand for", () => {
    const deals = [won(90, 120), lost(80, 150), open(20)];
    const one = outlooksByAge([...deals, ...deals, ...deals], rules({ commonShare: 0.1 }));
    const counted = followDeals(deals, rules()).map((life) => ({ ...life, weight: 3 }));
    expect(outlooksOf(counted, rules({ commonShare: 0.1 }))).toEqual(one);
  });

  it("clusters are the landmarks: what was won of all that was open at each", () => {
    const deals = [won(90, 120), lost(80, 150), open(20), won(95, 199)];
    expect(landmarkClusters(deals, rules({ landmarks: [50, 100] }))).toEqual([
      { wins: 0, trials: 1 },
      { wins: 1, trials: 4 },
    ]);
  });
});
