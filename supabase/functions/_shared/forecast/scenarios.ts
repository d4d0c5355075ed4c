import { z } from "zod";
import type { InputDemand, InputEdit, InputScenario } from "../db/sql/forecast.ts";
import { PlanningError } from "../planning/failure.ts";
import type { DemandLine } from "../planning/forecast/plan.ts";
import { readConversionRates } from "../planning/probability/rates.ts";
import type { Edit } from "../planning/scenario/edits.ts";
import type { NamedScenario } from "../planning/scenario/whatIf.ts";
import { dayOf, optionalDay, type Prepared, planDeal } from "./plan.ts";

/** Edits as they are stored, in the terms of the arithmetic. */

const days = z.object({ days: z.int() });
const probability = z.object({ probability: z.number().min(0).max(100) });
const rates = z.object({ rates: z.record(z.string(), z.number()) });
const date = z.string().nullish();

const demandLine = z.object({
  skill_key: z.string().nullish(),
  skill_category: z.string().nullish(),
  experience_level: z.string().nullish(),
  required_count: z.int().min(1).default(1),
  allocation_percentage: z.number().min(1).max(100).default(100),
  start_date: date,
  end_date: date,
  is_critical: z.boolean().default(false),
  alternatives: z.array(z.string()).default([]),
});

const newDeal = z.object({
  name: z.string().default("Added deal"),
  client_name: z.string().nullish(),
  stage_key: z.string().default("lead"),
  probability: z.number().min(0).max(100).nullish(),
  estimated_value: z.number().nullish(),
  currency: z.string().nullish(),
  expected_close_date: date,
  estimated_start_date: date,
  estimated_duration: z.int().nullish(),
  resource_demand: z.array(demandLine).default([]),
});

const newPeople = z.object({
  skill_key: z.string(),
  level: z.string().nullish(),
  count: z.int().min(1).default(1),
  hours_per_week: z.number().min(0).max(168),
  start_date: z.string(),
  end_date: date,
});

type Read = (edit: InputEdit, prepared: Prepared) => Edit;

const READ: Record<InputEdit["kind"], Read> = {
  shift_start: ({ deal_id, payload }) => ({ kind: "shift_start", dealId: deal_id ?? "", ...days.parse(payload) }),
  shift_close: ({ deal_id, payload }) => ({ kind: "shift_close", dealId: deal_id ?? "", ...days.parse(payload) }),
  set_probability: ({ deal_id, payload }) => ({
    kind: "set_probability",
    dealId: deal_id ?? "",
    rate: probability.parse(payload).probability / 100,
  }),
  drop_deal: ({ deal_id }) => ({ kind: "drop_deal", dealId: deal_id ?? "" }),
  add_deal: addedDeal,
  add_people: ({ payload }) => {
    const people = newPeople.parse(payload);
    return {
      kind: "add_people",
      people: {
        skill: people.skill_key,
        level: people.level ?? null,
        count: people.count,
        hoursPerWeek: people.hours_per_week,
        startDay: dayOf(people.start_date),
        endDay: optionalDay(people.end_date ?? null),
      },
    };
  },
  set_rates: ({ payload }, { stages }) => ({
    kind: "set_rates",
    rates: readConversionRates(rates.parse(payload).rates, stages),
  }),
};

/** Known by the edit that adds it: the same scenario draws it the same way each time. */
function addedDeal({ id, payload }: InputEdit, prepared: Prepared): Edit {
  const given = newDeal.parse(payload);
  const stage = prepared.stages.find(({ key, aliases }) => [key, ...(aliases ?? [])].includes(given.stage_key));
  if (stage === undefined)
    throw new PlanningError("unknown_stage", `This workspace has no stage "${given.stage_key}".`);
  const row = {
    id,
    name: given.name,
    client: given.client_name?.trim().toLowerCase() || null,
    stage: stage.key,
    value: given.estimated_value ?? null,
    currency: given.currency ?? prepared.exchange.currency,
    probability: given.probability ?? 100 * stage.defaultRate,
    close_date: given.expected_close_date ?? null,
    start_date: given.estimated_start_date ?? null,
    duration: given.estimated_duration ?? null,
    opened_on: new Date(prepared.asOf * 86_400_000).toISOString().slice(0, 10),
  };
  const lines = given.resource_demand.map((line, index) =>
    demandOf({
      id: `${id}:${index}`,
      deal_id: id,
      skill: line.skill_key ?? line.skill_category ?? "other",
      is_category: line.skill_key == null,
      level: line.experience_level ?? null,
      count: line.required_count,
      percentage: line.allocation_percentage,
      start_date: line.start_date ?? null,
      end_date: line.end_date ?? null,
      critical: line.is_critical,
      alternatives: line.alternatives,
      staffed: [],
    }),
  );
  return { kind: "add_deal", deal: planDeal(row, prepared.stages, prepared.exchange), demands: lines };
}

export function demandOf(row: InputDemand): DemandLine {
  return {
    id: row.id,
    dealId: row.deal_id,
    skill: row.skill,
    level: row.level,
    count: row.count,
    allocation: row.percentage / 100,
    startDay: optionalDay(row.start_date),
    endDay: optionalDay(row.end_date),
    critical: row.critical,
    alternatives: row.alternatives,
  };
}

export interface PassedOver {
  id: string;
  why: string;
}

export interface ReadScenario extends NamedScenario {
  id: string;
  /** Edits that do not count: the deal is closed, gone, dropped before or not asked for. */
  passedOver: PassedOver[];
}

/**
 * One stored scenario. `threshold` is the caller's own word on which deals count, stronger than the scenario's.
 */
export function readScenario(row: InputScenario, prepared: Prepared, threshold: number | null): ReadScenario {
  const chosen = row.deal_ids.length === 0 ? null : new Set(row.deal_ids);
  const here = new Set(prepared.plan.deals.filter(({ id }) => chosen?.has(id) ?? true).map(({ id }) => id));
  const why = ({ deal_id, skipped }: InputEdit) =>
    skipped ?? (deal_id === null || here.has(deal_id) ? null : "not_asked_for");
  const rules = prepared.setting.rates;
  return {
    id: row.id,
    name: row.name,
    edits: [
      ...(chosen === null ? [] : [{ kind: "keep_deals" as const, dealIds: chosen }]),
      { kind: "set_rates", rates: readConversionRates(row.conversion_rates, prepared.stages) },
      ...row.edits.filter((edit) => why(edit) === null).map((edit) => readEdit(edit, prepared)),
    ],
    passedOver: row.edits.flatMap((edit) => {
      const reason = why(edit);
      return reason === null ? [] : [{ id: edit.id, why: reason }];
    }),
    own: {
      countFrom: threshold ?? row.confidence_threshold ?? prepared.setting.countFrom,
      rates:
        row.template_rates === null
          ? rules
          : { ...rules, template: readConversionRates(row.template_rates, prepared.stages) },
    },
  };
}

export function readEdit(edit: InputEdit, prepared: Prepared): Edit {
  try {
    return READ[edit.kind](edit, prepared);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const [issue] = error.issues;
    throw new PlanningError(
      "not_a_number",
      `An edit (${edit.kind}) cannot be read: ${issue?.message}`,
      `edits.${edit.id}`,
    );
  }
}
