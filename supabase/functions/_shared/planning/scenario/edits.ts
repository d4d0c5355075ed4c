import { PlanningError } from "../failure.ts";
import type { AddedPeople, DemandLine, Plan, PlanDeal } from "../forecast/plan.ts";
import type { Day } from "../time/days.ts";

/** What a scenario changes. In the order in which they were made; a later one sees what the earlier ones left. */
export type Edit =
  | { kind: "shift_start"; dealId: string; days: number }
  | { kind: "shift_close"; dealId: string; days: number }
  | { kind: "set_probability"; dealId: string; rate: number }
  /** The same for many deals at once, by id. */
  | { kind: "set_probabilities"; rates: ReadonlyMap<string, number> }
  | { kind: "drop_deal"; dealId: string }
  | { kind: "keep_deals"; dealIds: ReadonlySet<string> }
  | { kind: "add_deal"; deal: PlanDeal; demands: readonly DemandLine[] }
  | { kind: "add_people"; people: AddedPeople }
  | { kind: "set_rates"; rates: ReadonlyMap<string, number> };

type Apply<K extends Edit["kind"]> = (plan: Plan, edit: Extract<Edit, { kind: K }>) => Plan;

const APPLY: { [K in Edit["kind"]]: Apply<K> } = {
  shift_start: (plan, { dealId, days }) => ({
    ...withDeal(plan, dealId, (deal) => ({ ...deal, startDay: shifted(deal.startDay, days) })),
    demands: plan.demands.map((line) => (line.dealId === dealId ? shiftedLine(line, days) : line)),
  }),
  shift_close: (plan, { dealId, days }) =>
    withDeal(plan, dealId, (deal) => ({ ...deal, closeDay: shifted(deal.closeDay, days) })),
  set_probability: (plan, { dealId, rate }) => {
    if (!(rate >= 0 && rate <= 1))
      throw new PlanningError("probability_out_of_range", "A probability lies between 0 and 100 %.");
    return withDeal(plan, dealId, (deal) => ({ ...deal, editedRate: rate }));
  },
  set_probabilities: (plan, { rates }) => ({
    ...plan,
    deals: plan.deals.map((deal) => {
      const rate = rates.get(deal.id);
      return rate === undefined ? deal : { ...deal, editedRate: rate };
    }),
  }),
  drop_deal: (plan, { dealId }) => {
    indexOf(plan, dealId);
    return {
      ...plan,
      deals: plan.deals.filter(({ id }) => id !== dealId),
      demands: plan.demands.filter((line) => line.dealId !== dealId),
    };
  },
  keep_deals: (plan, { dealIds }) => ({
    ...plan,
    deals: plan.deals.filter(({ id }) => dealIds.has(id)),
    demands: plan.demands.filter(({ dealId }) => dealIds.has(dealId)),
  }),
  add_deal: (plan, { deal, demands }) => {
    if (plan.deals.some(({ id }) => id === deal.id))
      throw new PlanningError("duplicate_id", `There is a deal ${deal.id} already.`);
    return { ...plan, deals: [...plan.deals, deal], demands: [...plan.demands, ...demands] };
  },
  add_people: (plan, { people }) => {
    if (people.endDay !== null && people.endDay < people.startDay)
      throw new PlanningError("end_before_start", "People cannot leave before they come.");
    return { ...plan, addedPeople: [...plan.addedPeople, people] };
  },
  set_rates: (plan, { rates }) => ({ ...plan, conversionRates: new Map([...plan.conversionRates, ...rates]) }),
};

/**
 * The plan with the edits on top. What no edit touches is the same object as before, so nothing is copied that did not
 * change.
 */
export function applyEdits(plan: Plan, edits: readonly Edit[]): Plan {
  return edits.reduce((now, edit, index) => {
    try {
      return (APPLY[edit.kind] as Apply<typeof edit.kind>)(now, edit as never);
    } catch (error) {
      throw error instanceof PlanningError ? new PlanningError(error.fault, error.message, `edits.${index}`) : error;
    }
  }, plan);
}

function withDeal(plan: Plan, dealId: string, change: (deal: PlanDeal) => PlanDeal): Plan {
  const index = indexOf(plan, dealId);
  return { ...plan, deals: plan.deals.with(index, change(plan.deals[index] as PlanDeal)) };
}

function indexOf({ deals }: Plan, dealId: string): number {
  const index = deals.findIndex(({ id }) => id === dealId);
  if (index === -1) throw new PlanningError("unknown_deal", `There is no deal ${dealId} in this scenario.`);
  return index;
}

function shiftedLine(line: DemandLine, days: number): DemandLine {
  return { ...line, startDay: shifted(line.startDay, days), endDay: shifted(line.endDay, days) };
}

function shifted(day: Day | null, days: number): Day | null {
  return day === null ? null : day + days;
}
