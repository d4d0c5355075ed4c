import type { CrmFilter, FilterOperator } from "../../crm/contract.ts";
import type { StageRow } from "../mapping/stages.ts";

type Leaf = Extract<CrmFilter, { field: string }>;

/** Stages of ours as stages of the CRM, of which several may mean one of ours. */
export function stageFilter(operator: FilterOperator, keys: readonly string[], stages: readonly StageRow[]): CrmFilter {
  if (operator === "empty" || operator === "not_empty") return stage(operator, []);
  const wanted = new Set(keys.map((key) => key.toLowerCase()));
  const means = (row: StageRow) => wanted.has(row.stage_key);
  const inside = stages.filter(means);
  const ambiguous = new Set(inside.map(idOf).filter((id) => stages.some((row) => idOf(row) === id && !means(row))));
  const plain = [...new Set(inside.filter((row) => !ambiguous.has(idOf(row))).map((row) => row.crm_stage_id))];
  const byPipeline = inside.filter((row) => ambiguous.has(idOf(row)));
  return operator === "equals" || operator === "in" ? isOneOf(plain, byPipeline) : isNoneOf(plain, byPipeline);
}

/** Pipelines may give one id to stages that mean different things here. */
function isOneOf(plain: readonly string[], byPipeline: readonly StageRow[]): CrmFilter {
  const rest = byPipeline.map((row) => ({ all: [stage("equals", [row.crm_stage_id]), pipeline("equals", row)] }));
  return { any: [...(plain.length > 0 ? [stage("in", plain)] : []), ...rest] };
}

function isNoneOf(plain: readonly string[], byPipeline: readonly StageRow[]): CrmFilter {
  const rest = byPipeline.map((row) => ({
    any: [stage("not_equals", [row.crm_stage_id]), pipeline("not_equals", row)],
  }));
  return { all: [plain.length > 0 ? stage("not_in", plain) : stage("not_empty", []), ...rest] };
}

function stage(operator: FilterOperator, values: readonly string[]): Leaf {
  return { field: "$stage", type: "string", operator, values };
}

function pipeline(operator: FilterOperator, row: StageRow): Leaf {
  return { field: "$pipeline", type: "string", operator, values: [row.crm_pipeline_id] };
}

function idOf(row: StageRow): string {
  return row.crm_stage_id.trim().toLowerCase();
}
