import type { ForecastInputs } from "../db/sql/forecast.ts";
import { type ForecastLine, type ForecastLines, forecastLines } from "../planning/forecast/lines.ts";
import { fromCents } from "../planning/forecast/money.ts";
import { rateOf } from "../planning/probability/rates.ts";
import type { Difference } from "../planning/scenario/compare.ts";
import { applyEdits } from "../planning/scenario/edits.ts";
import type { NamedScenario, ScenarioForecast } from "../planning/scenario/whatIf.ts";
import type { Percentiles } from "../planning/stats/quantile.ts";
import type { Prepared } from "./plan.ts";

/** Results as they are stored and sent: snake_case, money in units with two decimals. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One scenario: the lines of sales people beside what the simulation says. */
export function forecastAnswer(
  found: ScenarioForecast,
  scenario: NamedScenario,
  prepared: Prepared,
  commitFrom: number,
): { [key: string]: Json } {
  const { periods, asOf, setting } = prepared;
  const countFrom = scenario.own?.countFrom ?? setting.countFrom;
  const { deals, conversionRates } = applyEdits(prepared.plan, scenario.edits);
  const counted = deals.map(({ id, stage, value, closeDay }) => ({
    stage,
    value,
    closeDay,
    rate: found.rates.get(id)?.rate ?? 0,
    kind: setting.rates.stages.get(stage)?.kind === "won" ? ("won" as const) : ("open" as const),
  }));
  const rules = { commitFrom, countFrom };
  const lines = forecastLines(counted, periods, asOf, rules);
  const usual = (stage: string) => setting.rates.stages.get(stage)?.defaultRate ?? 0;
  const naive = forecastLines(
    counted.map((deal) => ({ ...deal, rate: usual(deal.stage) })),
    periods,
    asOf,
    { commitFrom, countFrom: 0 },
  );
  const row = (line: ForecastLine, drawn: Percentiles, { weighted }: ForecastLine) => ({
    ...money(line),
    ...money(drawn),
    naive: fromCents(weighted),
  });
  return {
    deals: deals.length,
    periods: lines.periods.map((line, index) => ({
      period: periods.labels[index] as string,
      ...row(line, found.forecast.periods[index] as Percentiles, naive.periods[index] as ForecastLine),
    })),
    total: row(lines.total, found.forecast.total, naive.total),
    drivers: found.forecast.drivers.map(({ dealId, wonP50, lostP50, swing }) => ({
      pipeline_project_id: dealId,
      name: deals.find(({ id }) => id === dealId)?.name ?? null,
      won_p50: fromCents(wonP50),
      lost_p50: fromCents(lostP50),
      swing: fromCents(swing),
    })),
    ...leftOver(lines, found),
    rates: stageRates(prepared, scenario, conversionRates),
  };
}

function leftOver({ undated, overdue }: ForecastLines, found: ScenarioForecast): { [key: string]: Json } {
  return {
    undated: { ...undated, value: fromCents(undated.value), not_drawn: found.undated.length },
    overdue: { ...overdue, value: fromCents(overdue.value) },
  };
}

/** What a deal of each open stage gets that has no word of its own. */
function stageRates(prepared: Prepared, scenario: NamedScenario, overrides: ReadonlyMap<string, number>): Json {
  const rules = { ...(scenario.own?.rates ?? prepared.setting.rates), overrides };
  return prepared.stages
    .filter(({ kind }) => kind === "open")
    .map(({ key }) => ({ stage: key, ...rateOf({ stage: key, rate: null }, rules) }));
}

function money<T extends object>(line: T): { [K in keyof T]: number } {
  return Object.fromEntries(Object.entries(line).map(([key, cents]) => [key, fromCents(cents as number)])) as {
    [K in keyof T]: number;
  };
}

export function changeAnswer({ total, periods }: ScenarioForecast["change"], labels: readonly string[]): Json {
  return {
    total: money<Difference>(total),
    periods: periods.map((difference, index) => ({
      period: labels[index] as string,
      ...money<Difference>(difference),
    })),
  };
}

/** What every result begins with. */
export function heading(inputs: ForecastInputs, prepared: Prepared): { [key: string]: Json } {
  return {
    as_of: inputs.as_of,
    currency: prepared.exchange.currency,
    grain: prepared.periods.grain,
    unvalued: prepared.unvalued,
  };
}
