import type { ForecastInputs } from "../db/sql/forecast.ts";
import type { RunKind } from "../db/sql/forecastRuns.ts";
import { readConversionRates } from "../planning/probability/rates.ts";
import { type NamedScenario, type Progress, whatIf } from "../planning/scenario/whatIf.ts";
import { changeAnswer, forecastAnswer, heading, type Json } from "./answer.ts";
import { countOf, prepare } from "./plan.ts";
import type { ForecastRequest, ResourceRequest, WhatIfRequest } from "./requests.ts";
import { resourceForecast } from "./resource.ts";
import { type PassedOver, readScenario } from "./scenarios.ts";

/** From request and inputs alone, so that a kept run can be calculated again, by whoever, to the digit. */

export interface Draws {
  runs: number;
  seed: number;
}

export type Result = { readonly [key: string]: Json };
export type Calculation = Generator<Progress, Result, void>;

/** Deals looked at as drivers. */
const DRIVERS = 20;
/** Of a what-if, in which each scenario has its own. */
const DRIVERS_EACH = 5;

export const AS_IS = "Pipeline as it is";

function* forecast(request: ForecastRequest, inputs: ForecastInputs, draws: Draws): Calculation {
  const prepared = prepare(inputs, request);
  const threshold = request.confidence_threshold;
  const [stored] = inputs.scenarios;
  const read = stored === undefined ? null : readScenario(stored, prepared, threshold);
  const own = readConversionRates(request.conversion_rates, prepared.stages);
  const scenario: NamedScenario = {
    name: read?.name ?? AS_IS,
    edits: [...(read?.edits ?? []), { kind: "set_rates", rates: own }],
    ...(read?.own === undefined ? {} : { own: read.own }),
  };
  const options = { ...draws, drivers: DRIVERS };
  const [found] = yield* whatIf(prepared.plan, [scenario], prepared.setting, options);
  if (found === undefined) throw new Error("A calculation of one scenario gave none.");
  return {
    ...heading(inputs, prepared),
    ...forecastAnswer(found, scenario, prepared, inputs.settings.commit_from),
    passed_over: passedOver(read?.passedOver),
  };
}

function* scenarios(request: WhatIfRequest, inputs: ForecastInputs, draws: Draws): Calculation {
  const prepared = prepare(inputs, request);
  const named = request.scenario_ids === null ? givenRates(request, prepared) : storedOnes(request, inputs, prepared);
  const all = request.compare_with === "first" ? named : [{ id: null, name: AS_IS, edits: [] }, ...named];
  const found = yield* whatIf(prepared.plan, all, prepared.setting, { ...draws, drivers: DRIVERS_EACH });
  return {
    ...heading(inputs, prepared),
    scenarios: found.map((one, index) => ({
      scenario_id: all[index]?.id ?? null,
      name: one.name,
      forecast: forecastAnswer(one, all[index] as NamedScenario, prepared, inputs.settings.commit_from),
      change: changeAnswer(one.change, prepared.periods.labels),
      passed_over: passedOver(all[index]?.passedOver),
    })),
  };
}

interface Compared extends NamedScenario {
  id: string | null;
  passedOver?: readonly PassedOver[];
}

const passedOver = (edits: readonly PassedOver[] = []): Json => edits.map(({ id, why }) => ({ edit_id: id, why }));

function givenRates({ conversion_scenarios }: WhatIfRequest, { stages }: ReturnType<typeof prepare>): Compared[] {
  return (conversion_scenarios ?? []).map(({ name, conversion_rates }) => ({
    id: null,
    name,
    edits: [{ kind: "set_rates", rates: readConversionRates(conversion_rates, stages) }],
  }));
}

/** In the order in which they were asked for: the first may be what the others are compared with. */
function storedOnes(
  { scenario_ids, confidence_threshold }: WhatIfRequest,
  inputs: ForecastInputs,
  prepared: ReturnType<typeof prepare>,
): Compared[] {
  return [...new Set(scenario_ids ?? [])].flatMap((id) => {
    const row = inputs.scenarios.find((scenario) => scenario.id === id);
    return row === undefined ? [] : [readScenario(row, prepared, confidence_threshold)];
  });
}

/** What stands in `request` of a run decides the types: it was written by the same code. */
const CALCULATIONS: Record<RunKind, (request: never, inputs: ForecastInputs, draws: Draws) => Calculation> = {
  forecast,
  daily: forecast,
  what_if: scenarios,
  resource_forecast: (request: ResourceRequest, inputs, draws) => resourceForecast(request, inputs, draws),
};

export function calculate(kind: RunKind, request: object, inputs: ForecastInputs, draws: Draws): Calculation {
  return CALCULATIONS[kind](request as never, inputs, draws);
}

/** Sorting one period of one run takes as long as drawing two deals; new business makes it five. */
const PERIOD = 2;
const PERIOD_WITH_NEW = 5;

/** What a run draws in each of its rounds, over all scenarios, in deals; and the periods that it is kept in. */
export function costOf(kind: RunKind, request: object, inputs: ForecastInputs): { deals: number; periods: number } {
  if (kind === "resource_forecast") return { deals: inputs.deals.length + addedDeals(inputs), periods: 0 };
  const asked = request as ForecastRequest & Partial<WhatIfRequest>;
  const named = kind === "what_if" ? (asked.conversion_scenarios ?? asked.scenario_ids ?? []).length : 0;
  const compared = named + (kind === "what_if" && asked.compare_with === "first" ? 0 : 1);
  const periods = countOf(inputs, asked);
  const each = inputs.deals.length + periods * (asked.include_new_business ? PERIOD_WITH_NEW : PERIOD);
  return { deals: compared * each + addedDeals(inputs), periods };
}

const addedDeals = ({ scenarios }: ForecastInputs) =>
  scenarios.flatMap(({ edits }) => edits).filter(({ kind }) => kind === "add_deal").length;
