import { accuracyOf, coverage, meanPinballLoss } from "../../supabase/functions/_shared/planning/accuracy/metrics.ts";
import type { Baselines } from "./baselines.ts";
import type { Trial } from "./quarter.ts";

export const QUARTERS = {
  "2017Q1": "2017-01-01",
  "2017Q2": "2017-04-01",
  "2017Q3": "2017-07-01",
  "2017Q4": "2017-10-01",
};
/** The first has no closed deal behind it, so nothing can be learned for it: it is summed up apart. */
export const COLD = "2017Q1";

export function quarterLine({ scope, quarter, p10, p50, p90, actual, baselines }: Trial) {
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

export function summary(trials: readonly Trial[]) {
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
