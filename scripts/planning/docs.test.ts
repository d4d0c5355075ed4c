import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parseDay } from "../../supabase/functions/_shared/planning/time/days.ts";
import { PROJECT_ROOT } from "../lib/workbench.ts";
import { readMavenDeals } from "./maven.ts";
import { SCOPES, type Trial, trialsOf } from "./quarter.ts";
import { COLD, QUARTERS, summary } from "./summary.ts";

/** What `npx tsx scripts/planning/backtest.ts` uses. */
const DRAWS = { runs: 10_000, seed: 2017 };
const page = readFileSync(join(PROJECT_ROOT, "docs", "planning.md"), "utf8");
let trials: Trial[];

/** The cells of the row that begins with this name. */
function row(name: string): string[] {
  const line = page.split("\n").find((text) => text.startsWith(`| ${name} |`));
  expect(line, `docs/planning.md has no row "${name}"`).toBeDefined();
  return (line ?? "")
    .split("|")
    .slice(2, -1)
    .map((cell) => cell.trim());
}

beforeAll(() => {
  const deals = readMavenDeals();
  trials = SCOPES.flatMap((scope) =>
    Object.entries(QUARTERS).flatMap(([quarter, start]) =>
      trialsOf(deals, quarter, parseDay(start) as number, scope, DRAWS, ["total"]),
    ),
  );
});

describe("docs/planning.md", () => {
  it("has the quarters of the back-test, figure by figure", () => {
    const thousands = (cents: number) => Math.round(cents / 100_000).toLocaleString("en");
    expect(trials).toHaveLength(8);
    for (const { scope, quarter, actual, p10, p50, p90, baselines } of trials) {
      const { naive, win_rate, last_quarter } = baselines;
      const money = [actual, p10, p50, p90, naive].map(thousands);
      const others = [win_rate === null ? "–" : thousands(win_rate), thousands(last_quarter)];
      expect(row(`${scope} ${quarter.slice(4)}`), `${scope} ${quarter}`).toEqual([...money, ...others]);
    }
  });

  it("has the errors of its totals", () => {
    for (const scope of SCOPES) {
      const { inside_p10_p90, forecast, naive, win_rate, last_quarter } = summary(
        trials.filter((trial) => trial.scope === scope && trial.quarter !== COLD),
      );
      const errors = [forecast, naive, win_rate, last_quarter].map(({ wape }) => `${wape?.toFixed(1)} %`);
      expect(row(`${scope}, totals`)).toEqual(["3", `${inside_p10_p90?.toFixed(1)} %`, ...errors]);
    }
  });

  it("says which command makes them", () => {
    expect(page).toContain("npx tsx scripts/planning/backtest.ts");
  });
});
