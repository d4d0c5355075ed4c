import type { Plan } from "../forecast/plan.ts";
import { checkRuns, forecastRevenue, type RevenueForecast, type RevenueOptions } from "../forecast/revenue.ts";
import { revenueScratch } from "../forecast/simulateRevenue.ts";
import { type Comparison, compareForecasts } from "./compare.ts";
import { applyEdits, type Edit } from "./edits.ts";
import { type ForecastSetting, type RatedPlan, toModel } from "./toModel.ts";

export interface NamedScenario {
  name: string;
  edits: readonly Edit[];
  /** What this scenario sets differently from the others. */
  own?: Partial<Pick<ForecastSetting, "rates" | "countFrom">>;
}

export interface ScenarioForecast extends Omit<RatedPlan, "model"> {
  name: string;
  forecast: RevenueForecast;
  /** Against the first scenario. */
  change: Comparison;
}

export interface Progress {
  done: number;
  total: number;
}

/** Several scenarios over one plan, one after the other in the same room. All edits are checked before the first draw. */
export function* whatIf(
  plan: Plan,
  scenarios: readonly NamedScenario[],
  setting: ForecastSetting,
  options: RevenueOptions,
): Generator<Progress, ScenarioForecast[], void> {
  checkRuns(options.runs);
  const rated = scenarios.map(({ name, edits, own }) => ({
    name,
    ...toModel(applyEdits(plan, edits), { ...setting, ...own }),
  }));
  const total = rated.reduce((sum, { model }) => sum + model.deals.length, 0);
  const scratch = revenueScratch(options.runs, setting.periods.count);
  const found: ScenarioForecast[] = [];
  let before = 0;
  for (const { name, model, rates, undated } of rated) {
    const forecast = yield* counted(forecastRevenue(model, options, scratch), before, total);
    before += model.deals.length;
    found.push({ name, rates, undated, forecast, change: compareForecasts(found[0]?.forecast ?? forecast, forecast) });
  }
  return found;
}

function* counted<T>(work: Generator<number, T, void>, before: number, total: number): Generator<Progress, T, void> {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    yield { done: before + step.value, total };
  }
}
