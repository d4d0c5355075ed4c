import { parseArgs } from "node:util";
import { accuracyOf, coverage, meanPinballLoss } from "../../supabase/functions/_shared/planning/accuracy/metrics.ts";
import { type Day, parseDay } from "../../supabase/functions/_shared/planning/time/days.ts";
import type { Baselines } from "./baselines.ts";
import { readMavenDeals } from "./maven.ts";
import { type Draws, LEVELS, SCOPES, type Trial, trialsOf } from "./quarter.ts";

/**
 * Forecasts each quarter of 2017 from what the Maven data knew on its first day, and compares with what came. One JSON
 * line per quarter and per summary: `npx tsx scripts/planning/backtest.ts`. What it finds is in docs/planning.md.
 */
const QUARTERS = { "2017Q1": "2017-01-01", "2017Q2": "2017-04-01", "2017Q3": "2017-07-01", "2017Q4": "2017-10-01" };
/** The first has no closed deal behind it, so nothing can be learned for it: it is summed up apart. */
const COLD = "2017Q1";

const { values: options } = parseArgs({
  options: { runs: { type: "string", default: "10000" }, seed: { type: "string", default: "2017" } },
});

function main(draws: Draws): void {
  const deals = readMavenDeals();
  const trials = SCOPES.flatMap((scope) =>
    Object.entries(QUARTERS).flatMap(([quarter, start]) =>
      trialsOf(deals, quarter, parseDay(start) as Day, scope, draws),
    ),
  );
  for (const trial of trials.filter(({ level }) => level === "total")) print(quarterLine(trial));
  for (const scope of SCOPES) {
    const warm = trials.filter((trial) => trial.scope === scope && trial.quarter !== COLD);
    for (const level of LEVELS) print({ scope, level, ...summary(warm.filter((trial) => trial.level === level)) });
    print({ scope, level: "region, product and agent", ...summary(warm.filter(({ level }) => level !== "total")) });
  }
}

function quarterLine({ scope, quarter, p10, p50, p90, actual, baselines }: Trial) {
  const { naive, win_rate, last_quarter } = baselines;
  return {
    scope,
    quarter,
    actual: money(actual),
    p10: money(p10),
    p50: money(p50),
    p90: money(p90),
    naive: money(naive),
    win_rate: win_rate === null ? null : money(win_rate),
    last_quarter: money(last_quarter),
  };
}

function summary(trials: readonly Trial[]) {
  const errorOf = (predicted: (trial: Trial) => number) => {
    const { wape, bias } = accuracyOf(trials.map((trial) => ({ predicted: predicted(trial), actual: trial.actual })));
    return { wape: tenths(wape), bias: tenths(bias) };
  };
  const baseline = (name: keyof Baselines) => errorOf(({ baselines }) => baselines[name] ?? 0);
  return {
    outcomes: trials.length,
    inside_p10_p90: tenths(100 * (coverage(trials) ?? 0)),
    forecast: errorOf(({ p50 }) => p50),
    naive: baseline("naive"),
    win_rate: baseline("win_rate"),
    last_quarter: baseline("last_quarter"),
    mean_pinball_loss: money(meanPinballLoss(trials)),
  };
}

const money = (cents: number) => Math.round(cents / 100);
const tenths = (value: number | null) => (value === null ? null : Math.round(value * 10) / 10);
const print = (line: object) => console.log(JSON.stringify({ backtest: "maven", ...line }));

main({ runs: Number(options.runs), seed: Number(options.seed) });
