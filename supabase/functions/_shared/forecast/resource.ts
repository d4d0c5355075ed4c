import type { ForecastInputs } from "../db/sql/forecast.ts";
import { hiringNeed } from "../planning/capacity/hiring.ts";
import { PlanningError } from "../planning/failure.ts";
import type { DrawnDeal } from "../planning/forecast/model.ts";
import type { AddedPeople, PlanDeal } from "../planning/forecast/plan.ts";
import { checkRuns } from "../planning/forecast/revenue.ts";
import { type DemandForecast, demandRuns, forecastDemand } from "../planning/forecast/simulateDemand.ts";
import { applyEdits } from "../planning/scenario/edits.ts";
import { toModel } from "../planning/scenario/toModel.ts";
import type { Progress } from "../planning/scenario/whatIf.ts";
import { formatDay } from "../planning/time/days.ts";
import { type Periods, periodOf } from "../planning/time/periods.ts";
import type { Json } from "./answer.ts";
import { combine } from "./combine.ts";
import { monthlyView, monthsOf, supplyBy } from "./months.ts";
import { type Prepared, prepare } from "./plan.ts";
import { type ResourceRequest, weeksOf } from "./requests.ts";
import { demandOf } from "./scenarios.ts";
import { type Covered, coverWeeks } from "./supply.ts";
import { type Figures, gapOf, weeklyView } from "./view.ts";
import { additionsOf, type Calendar, calendarOf, type GroupHours, partsOf, weightedHours, workOf } from "./work.ts";

/** Groups × weeks: some megabytes. */
const MOST_CELLS = 20_000;
/** What a function has time for; where work is long and deals are many, fewer futures are drawn, and the answer says how many. */
const MOST_ADDITIONS = 20_000_000;
const FEWEST_RUNS = 200;

/** The people that deals would need, by week or month, beside those who are free. Who has to be hired is told by week. */

interface Draws {
  runs: number;
  seed: number;
}

export function* resourceForecast(
  request: ResourceRequest,
  inputs: ForecastInputs,
  draws: Draws,
): Generator<Progress, { [key: string]: Json }, void> {
  checkRuns(draws.runs);
  const prepared = prepareWork(inputs, request);
  const combined = combine(inputs, prepared);
  const plan = applyEdits(prepared.plan, combined.edits);
  const rated = toModel(plan, prepared.setting);
  const rateOf = (id: string) => rated.rates.get(id)?.rate ?? 0;
  const calendar = calendarOf(inputs);
  const byLevel = request.group_by === "skill_level";
  const likely = plan.deals.filter(({ id }) => rateOf(id) >= prepared.setting.countFrom);
  const counted = new Map(likely.map((deal) => [deal.id, deal]));
  const months = monthsOf(request, inputs, prepared.asOf);
  const weeks = months?.weeks ?? prepared.periods;
  const work = workOf(plan, counted, inputs.demands ?? [], weeks, calendar, byLevel);
  const groups = new Set(work.profiles.map(({ group }) => group)).size;
  checkSize(groups, weeks.count);
  const asked = weightedHours(work.profiles, rateOf, weeks.count);
  const given = [...(inputs.supply ?? []), ...addedSupply(plan.addedPeople, months?.parts ?? weeks)];
  const team = (periods: Periods) => ({
    byLevel,
    demands: plan.demands,
    categories: work.categories,
    supply: months === null ? given : supplyBy(periods, months.parts, given),
    periods: periods.count,
  });
  const view =
    months === null
      ? weeklyView(asked, weeks)
      : monthlyView(months, { work, rateOf, asked, team: team(months.periods) });
  const runs = affordableRuns(draws.runs, additionsOf(work.profiles, rateOf), groups, weeks.count);
  const found = yield* told(
    forecastDemand(
      {
        periods: view.periods.count,
        deals: drawn(counted, rated.model.deals, rateOf),
        profiles: work.profiles.map((profile) => ({ ...profile, mover: view.mover(profile) })),
        correlation: prepared.setting.correlation,
      },
      { ...draws, runs },
    ),
    counted.size,
  );
  const covered = yield* told(coverWeeks(asked, team(weeks)), weeks.count);
  const figures = view.figures(covered);
  const { grain, labels } = view.periods;
  return {
    as_of: inputs.as_of,
    grain,
    [`${grain}s`]: [...labels],
    runs_of_demand: runs,
    demand: found.map((group) => groupAnswer(group, figures(group.group), view.periods)),
    hiring: hiring(asked, covered, weeks, inputs, prepared, calendar),
    undated: work.undated,
    scenarios: combined.scenarios,
    conflicts: combined.conflicts,
  };
}

function checkSize(groups: number, weeks: number): void {
  if (groups * weeks <= MOST_CELLS) return;
  throw new PlanningError(
    "horizon_out_of_range",
    `${groups} groups of skills over ${weeks} weeks are more than one answer holds. Ask for fewer months, or group by skill.`,
    "forecast_months",
  );
}

function affordableRuns(asked: number, additions: number, groups: number, weeks: number): number {
  const enough = Math.floor(MOST_ADDITIONS / additions);
  return demandRuns(Math.max(FEWEST_RUNS, Math.min(asked, enough)), groups, weeks);
}

function prepareWork(inputs: ForecastInputs, request: ResourceRequest): Prepared {
  const prepared = prepare(
    // Hours have no currency: a missing rate must not stop them.
    { ...inputs, deals: inputs.deals.map((deal) => ({ ...deal, value: null })) },
    {
      grain: "week",
      periods: weeksOf(request.forecast_months),
      currency: null,
      exchange_rates: {},
      correlate_clients: request.correlate_clients,
      include_new_business: false,
      confidence_threshold: request.confidence_threshold,
    },
  );
  return { ...prepared, plan: { ...prepared.plan, demands: (inputs.demands ?? []).map(demandOf) } };
}

/** Work goes with its deal: one whose close is undated is drawn like the others and does not slip. */
function drawn(
  counted: ReadonlyMap<string, PlanDeal>,
  dated: readonly DrawnDeal[],
  rateOf: (id: string) => number,
): DrawnDeal[] {
  const known = new Map(dated.map((deal) => [deal.id, deal]));
  return [...counted.values()].flatMap(({ id, clientId, value, closeDay, startDay }) => {
    const own = known.get(id);
    // A day that is not expected but made up of an outlook says nothing of when the work begins.
    if (own !== undefined && closeDay !== null) return [own];
    return [{ id, clientId, value, rate: rateOf(id), closeDay: startDay ?? 0, timing: null }];
  });
}

/** People whom a scenario adds, as supply of one skill. */
function addedSupply(people: readonly AddedPeople[], periods: Periods): NonNullable<ForecastInputs["supply"]> {
  return people.map(({ skill, level, count, hoursPerWeek, startDay, endDay }) => ({
    skills: [{ skill, category: "", level }],
    hours: periods.labels.map((_, week): [number, number] => {
      const from = Math.max(startDay, periods.starts[week] as number);
      const to = Math.min(endDay ?? Number.POSITIVE_INFINITY, (periods.starts[week + 1] as number) - 1);
      return [week, (count * hoursPerWeek * Math.max(0, to - from + 1)) / 7];
    }),
  }));
}

const hundredth = (value: number) => Math.round(value * 100) / 100;

function groupAnswer({ group, periods }: DemandForecast, figures: Figures, { grain, labels }: Periods): Json {
  return {
    ...partsOf(group),
    [`${grain}s`]: periods.map(({ p10, p50, p90 }, index) => ({
      [grain]: labels[index] as string,
      hours: hundredth(figures.hours[index] ?? 0),
      critical: hundredth(figures.critical[index] ?? 0),
      weighted: hundredth(figures.weighted[index] ?? 0),
      p10: hundredth(p10),
      p50: hundredth(p50),
      p90: hundredth(p90),
      supply: hundredth(figures.supply[index] ?? 0),
      gap: hundredth(figures.gap[index] ?? 0),
    })),
  };
}

function hiring(
  byGroup: ReadonlyMap<string, GroupHours>,
  covered: Covered,
  weeks: Periods,
  { settings }: ForecastInputs,
  { periods, asOf }: Prepared,
  { pattern }: Calendar,
): Json {
  const rules = {
    leadWeeks: settings.hiring.lead_weeks,
    weeklyHours: Math.max(1, pattern.reduce((sum, hours) => sum + hours, 0) * settings.hiring.availability),
    minWeeks: settings.hiring.min_weeks,
  };
  // By month the weeks begin with the month: nobody is hired for those that are over.
  const over = periodOf(weeks, periods.starts[0] as number);
  return [...byGroup]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([group, { weighted }]) => {
      const gap = gapOf(group, weighted, covered).subarray(over);
      return hiringNeed(gap, periods, asOf, rules).map(({ people, neededBy, openBy, late }) => ({
        ...partsOf(group),
        people,
        needed_by: formatDay(neededBy),
        open_by: formatDay(openBy),
        late,
      }));
    });
}

function* told<T>(work: Generator<number, T, void>, total: number): Generator<Progress, T, void> {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    yield { done: step.value, total };
  }
}
