import type { ForecastInputs, InputDeal } from "../db/sql/forecast.ts";
import { PlanningError } from "../planning/failure.ts";
import { type Cents, type Exchange, inReportingCurrency } from "../planning/forecast/money.ts";
import type { Plan, PlanDeal } from "../planning/forecast/plan.ts";
import { readConversionRates, type StageRule } from "../planning/probability/rates.ts";
import type { ForecastSetting } from "../planning/scenario/toModel.ts";
import { type Day, parseDay } from "../planning/time/days.ts";
import { type Grain, type Periods, periodsFrom } from "../planning/time/periods.ts";
import { correlationOf, newBusinessOf, outlooksOfLives, timingOf } from "./history.ts";
import { weeksOf } from "./requests.ts";

/** What a request says about how its deals are counted. */
export interface PlanAsk {
  grain: Grain;
  /** null: as far as the scenarios look. */
  periods: number | null;
  currency: string | null;
  exchange_rates: Readonly<Record<string, number>>;
  correlate_clients: boolean;
  include_new_business: boolean;
  confidence_threshold: number | null;
}

/** The rows of the database in the terms of the arithmetic. */
export interface Prepared {
  asOf: Day;
  periods: Periods;
  stages: readonly StageRule[];
  exchange: Exchange;
  plan: Plan;
  setting: ForecastSetting;
  /** Deals without a value: they count with 0. */
  unvalued: number;
  names: ReadonlyMap<string, string>;
}

export function prepare(inputs: ForecastInputs, ask: PlanAsk): Prepared {
  const asOf = dayOf(inputs.as_of);
  const periods = periodsFrom(asOf, countOf(inputs, ask), ask.grain);
  const stages = stageRules(inputs);
  const exchange = exchangeOf(inputs, ask);
  const deals = inputs.deals.map((deal) => planDeal(deal, stages, exchange));
  const plan: Plan = { deals, demands: [], addedPeople: [], conversionRates: new Map() };
  const setting: ForecastSetting = {
    asOf,
    periods,
    rates: {
      stages: new Map(stages.map((stage) => [stage.key, stage])),
      learned: new Map(inputs.learned.map(({ stage, rate, n, low, high }) => [stage, { rate, n, low, high }])),
      template: readConversionRates(inputs.settings.template_rates, stages),
      trustDeals: inputs.settings.trust_deals,
      minDeals: inputs.settings.min_deals,
    },
    timing: timingOf(inputs.shifts),
    outlooks: outlooksOfLives(inputs, asOf, periods),
    correlation: correlationOf(inputs, ask.correlate_clients),
    newBusiness: ask.include_new_business ? newBusinessOf(inputs, asOf, periods, exchange) : null,
    countFrom: ask.confidence_threshold ?? inputs.settings.confidence_threshold,
  };
  return {
    asOf,
    periods,
    stages,
    exchange,
    plan,
    setting,
    unvalued: inputs.deals.filter(({ value }) => value === null).length,
    names: new Map(inputs.deals.map(({ id, name }) => [id, name])),
  };
}

const USUAL_MONTHS = 12;

export function countOf({ scenarios }: ForecastInputs, { periods, grain }: Pick<PlanAsk, "periods" | "grain">): number {
  if (periods !== null) return periods;
  const months = Math.max(...scenarios.map(({ forecast_months }) => forecast_months), 0) || USUAL_MONTHS;
  return grain === "month" ? months : weeksOf(months);
}

function stageRules({ stages }: ForecastInputs): StageRule[] {
  return stages.map(({ key, kind, default_rate: defaultRate, aliases }) => ({ key, kind, defaultRate, aliases }));
}

/** Rates of the workspace are in its own currency; for a forecast in another one they are turned over. */
function exchangeOf({ settings }: ForecastInputs, { currency, exchange_rates }: PlanAsk): Exchange {
  const asked = currency ?? settings.currency;
  const own = new Map([[settings.currency, 1] as const, ...Object.entries(settings.exchange_rates)]);
  const unit = own.get(asked);
  const turned = unit === undefined ? [] : [...own].map(([code, rate]) => [code, rate / unit] as const);
  return { currency: asked, rates: new Map([...turned, ...Object.entries(exchange_rates)]) };
}

export function planDeal(deal: InputDeal, stages: readonly StageRule[], exchange: Exchange): PlanDeal {
  return {
    id: deal.id,
    name: deal.name,
    clientId: deal.client,
    stage: deal.stage,
    value: centsOf(deal.value, deal.currency, exchange),
    rate: writtenRate(deal, stages),
    closeDay: optionalDay(deal.close_date),
    startDay: optionalDay(deal.start_date),
    durationDays: deal.duration,
    openedDay: dayOf(deal.opened_on),
  };
}

export function centsOf(value: number | null, currency: string, exchange: Exchange): Cents {
  return value === null ? 0 : inReportingCurrency(value, currency, exchange);
}

/** The column is filled by the stage where nobody wrote into it, so the stage's own number is nobody's word. */
function writtenRate({ stage, probability }: InputDeal, stages: readonly StageRule[]): number | null {
  const rate = probability / 100;
  const usual = stages.find(({ key }) => key === stage)?.defaultRate;
  return usual !== undefined && Math.abs(usual - rate) < 1e-9 ? null : rate;
}

export function dayOf(text: string): Day {
  const day = parseDay(text);
  if (day === null) throw new PlanningError("not_a_number", `"${text}" is not a day.`);
  return day;
}

export function optionalDay(text: string | null): Day | null {
  return text === null ? null : dayOf(text);
}
