import { PlanningError } from "../failure.ts";
import type { Correlation, DrawnDeal, NewBusiness, RevenueModel } from "../forecast/model.ts";
import type { Plan, PlanDeal } from "../forecast/plan.ts";
import { type DealRate, type RateRules, rateOf } from "../probability/rates.ts";
import type { Day } from "../time/days.ts";
import type { Periods } from "../time/periods.ts";
import { type AgeOutlook, bandOf } from "../timing/landmarks.ts";
import type { ShiftTable } from "../timing/shifts.ts";

/** All that is needed to draw a plan, besides the plan. */
export interface ForecastSetting {
  asOf: Day;
  periods: Periods;
  /** Without overrides: those are the plan's. */
  rates: Omit<RateRules, "overrides">;
  /** By stage; where a stage has none, by the empty key, else the day stands. */
  timing: ReadonlyMap<string, ShiftTable>;
  /** What becomes of open deals without a closing day, by age; null: nothing is known, so they are not drawn. */
  outlooks?: Outlooks | null;
  correlation: Correlation;
  newBusiness: NewBusiness | null;
  /** Deals below it are left out (confidenceThreshold). */
  countFrom: number;
}

export interface Outlooks {
  bandDays: number;
  /** By band of age. */
  byBand: readonly AgeOutlook[];
}

export interface RatedPlan {
  model: RevenueModel;
  /** By deal id, with where it came from. */
  rates: Map<string, DealRate>;
  /** Open deals without a closing day, and without an outlook that could stand for it: in no period. */
  undated: PlanDeal[];
}

export function toModel(plan: Plan, setting: ForecastSetting): RatedPlan {
  const rules: RateRules = { ...setting.rates, overrides: plan.conversionRates };
  for (const deal of plan.deals) checkNumbers(deal);
  const rates = new Map(plan.deals.map((deal) => [deal.id, withOutlook(ratePlanDeal(deal, rules), deal, setting)]));
  const counted = plan.deals.filter(({ id }) => (rates.get(id)?.rate ?? 0) >= setting.countFrom);
  const { asOf, periods, correlation, newBusiness } = setting;
  const deals = counted.flatMap((deal) => drawnDeal(deal, rates.get(deal.id)?.rate ?? 0, setting, rules));
  return {
    model: { asOf, periods, deals, newBusiness, correlation },
    rates,
    undated: counted.filter((deal) => deal.closeDay === null && outlookOf(deal, setting) === null),
  };
}

/** Only for an open deal that nobody has dated. */
function outlookOf({ closeDay, openedDay, stage }: PlanDeal, setting: ForecastSetting): AgeOutlook | null {
  const { outlooks, asOf, rates } = setting;
  if (!outlooks || closeDay !== null || openedDay === undefined || rates.stages.get(stage)?.kind !== "open")
    return null;
  const { bandDays, byBand } = outlooks;
  return byBand[bandOf(asOf - 1 - openedDay, { bandDays, bands: byBand.length })] ?? null;
}

/** Where no person said a probability, the past of deals of its age says more than the past of its stage. */
function withOutlook(rate: DealRate, deal: PlanDeal, setting: ForecastSetting): DealRate {
  const outlook = outlookOf(deal, setting);
  if (outlook === null || !["learned", "template", "stage"].includes(rate.source)) return rate;
  return { ...outlook.rate, source: "learned" };
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

function drawnDeal(deal: PlanDeal, rate: number, setting: ForecastSetting, rules: RateRules): DrawnDeal[] {
  const { timing } = setting;
  if (rate === 0) return [];
  if (deal.closeDay === null) {
    const outlook = outlookOf(deal, setting);
    const { id, clientId, value } = deal;
    // Days to the win count from yesterday, so that the first is today.
    return outlook === null
      ? []
      : [{ id, clientId, value, rate, closeDay: setting.asOf - 1, timing: outlook.daysToWin }];
  }
  const closed = rules.stages.get(deal.stage)?.kind === "won";
  const table = closed ? null : (timing.get(deal.stage) ?? timing.get("") ?? new Int32Array(1));
  const { id, clientId, value, closeDay } = deal;
  return [{ id, clientId, value, rate, closeDay, timing: table }];
}
