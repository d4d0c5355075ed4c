import { PlanningError } from "../failure.ts";
import type { Correlation, DrawnDeal, NewBusiness, RevenueModel } from "../forecast/model.ts";
import type { Plan, PlanDeal } from "../forecast/plan.ts";
import { type DealRate, type RateRules, rateOf } from "../probability/rates.ts";
import type { Day } from "../time/days.ts";
import type { Periods } from "../time/periods.ts";
import type { ShiftTable } from "../timing/shifts.ts";

/** All that is needed to draw a plan, besides the plan. */
export interface ForecastSetting {
  asOf: Day;
  periods: Periods;
  /** Without overrides: those are the plan's. */
  rates: Omit<RateRules, "overrides">;
  /** By stage; where a stage has none, by the empty key, else the day stands. */
  timing: ReadonlyMap<string, ShiftTable>;
  correlation: Correlation;
  newBusiness: NewBusiness | null;
  /** Deals below it are left out (confidenceThreshold). */
  countFrom: number;
}

export interface RatedPlan {
  model: RevenueModel;
  /** By deal id, with where it came from. */
  rates: Map<string, DealRate>;
  /** Open deals without a closing day: in no period. */
  undated: PlanDeal[];
}

export function toModel(plan: Plan, setting: ForecastSetting): RatedPlan {
  const rules: RateRules = { ...setting.rates, overrides: plan.conversionRates };
  for (const deal of plan.deals) checkNumbers(deal);
  const rates = new Map(plan.deals.map((deal) => [deal.id, ratePlanDeal(deal, rules)]));
  const counted = plan.deals.filter(({ id }) => (rates.get(id)?.rate ?? 0) >= setting.countFrom);
  const { asOf, periods, correlation, newBusiness } = setting;
  const deals = counted.flatMap((deal) => drawnDeal(deal, rates.get(deal.id)?.rate ?? 0, setting, rules));
  return {
    model: { asOf, periods, deals, newBusiness, correlation },
    rates,
    undated: counted.filter(({ closeDay }) => closeDay === null),
  };
}

/** What a scenario says of one deal counts for more than what it says of its stage; a closed deal stays what it is. */
export function ratePlanDeal(deal: PlanDeal, rules: RateRules): DealRate {
  const rate = rateOf(deal, rules);
  const kind = rules.stages.get(deal.stage)?.kind;
  if (deal.editedRate === undefined || kind === "won" || kind === "lost") return rate;
  return { rate: deal.editedRate, source: "edit", n: null, low: null, high: null };
}

/** One NaN would make every total NaN, and a rate of 60 instead of 0.6 would win always. */
function checkNumbers({ id, value, rate }: PlanDeal): void {
  if (!Number.isFinite(value))
    throw new PlanningError("not_a_number", "The value of a deal is not a number.", `deals.${id}`);
  if (rate !== null && !(rate >= 0 && rate <= 1))
    throw new PlanningError("probability_out_of_range", "A probability lies between 0 and 100 %.", `deals.${id}`);
}

function drawnDeal(deal: PlanDeal, rate: number, { timing }: ForecastSetting, rules: RateRules): DrawnDeal[] {
  if (deal.closeDay === null || rate === 0) return [];
  const closed = rules.stages.get(deal.stage)?.kind === "won";
  const table = closed ? null : (timing.get(deal.stage) ?? timing.get("") ?? new Int32Array(1));
  const { id, clientId, value, closeDay } = deal;
  return [{ id, clientId, value, rate, closeDay, timing: table }];
}
