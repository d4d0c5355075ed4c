import type { CrmRecord, EntityType, MappingDataType } from "../../crm/contract.ts";
import { type AppField, appField } from "../appFields.ts";
import type { Json } from "../json.ts";
import { type Convert, type ConvertOptions, converter } from "./convert.ts";
import { parseSource, type Source } from "./source.ts";
import { isClosed, type StageOf, type StageRow, stageLookup } from "./stages.ts";
import { type Canonical, cleanText, excerpt, Misfit } from "./text.ts";
import { noSandbox, type TransformFailure } from "./transform/failure.ts";
import type { Transforms } from "./transform/index.ts";

export interface MappingRow {
  entity_type: EntityType;
  crm_field: string;
  app_field: string;
  data_type: MappingDataType;
  sync_direction: "push" | "pull" | "bidirectional" | "none";
  is_required: boolean;
  /** JavaScript expression over value and record, for what is read. */
  transform_function?: string | null;
}

/** A record as private.crm_merge_page takes it. */
export interface MergeRecord {
  crm_id: string;
  /** null: nobody knows, as for one that the CRM does not show any more. */
  modified_at: string | null;
  deleted: boolean;
  /** May show a record that is gone by now: what was deleted later is not alive again. */
  may_lag?: true;
  merged_into?: string;
  values: Record<string, Json>;
  company?: string | null;
  contact?: string | null;
  owner?: string | null;
  stage?: { pipeline: string; id: string };
  /** The connection's filter leaves it out: merged where it is linked, else passed over. */
  only_linked?: true;
}

export interface Rejection {
  crm_id: string;
  code: string;
  message: string;
  /** The CRM's, as the message names it. */
  field: string | null;
  only_linked?: true;
}

export type Mapped = { record: MergeRecord; rejected?: never } | { rejected: Rejection; record?: never };

/** What is the same for both directions. */
export interface PlanRules extends ConvertOptions {
  /** As people call it, for messages. */
  crmName: string;
  /** App fields that are left out. */
  exclude?: readonly string[];
}

export interface PlanOptions extends PlanRules {
  /** Needed where a row has a transform: without it, such a field fits no record. */
  transforms?: Transforms;
  /** Fields that the CRM has: of those that only a transform names, the others are not asked for. */
  knownFields?: ReadonlySet<string>;
}

/** What one mapping makes of one record, for people to look at. */
export interface Outcome {
  crmField: string;
  appField: string;
  /** As the CRM sent it; absent where it was not read. */
  raw?: unknown;
  /** Ours; absent where there is a misfit or nothing was read. */
  value?: Json;
  misfit?: Misfit;
}

export interface MappingPlan {
  entity: EntityType;
  /** What to ask the CRM for. */
  crmFields: string[];
  map(record: CrmRecord): Mapped;
  explain(record: CrmRecord): Outcome[];
}

interface Step {
  /** As the mapping names it. */
  crmField: string;
  source: Source;
  appField: string;
  field: AppField | "custom";
  required: boolean;
  transform: Transform | null;
  convert: Convert;
}

type Transform = (raw: unknown, fields: CrmRecord["fields"]) => Json | TransformFailure;

interface Problem {
  code: string;
  text: string;
  field: string | null;
}

/** Mapping rows become a plan once per slice; `map` then runs once per record. */
export function compilePlan(
  entity: EntityType,
  rows: readonly MappingRow[],
  stages: readonly StageRow[],
  options: PlanOptions,
): MappingPlan {
  const pulled = rows.filter(
    (row) => row.entity_type === entity && reads(row.sync_direction) && !options.exclude?.includes(row.app_field),
  );
  const steps = pulled.flatMap((row) => stepFor(row, options));
  const stageOf = stageLookup(stages);
  return {
    entity,
    crmFields: [...new Set([...steps.flatMap((step) => step.source.fields), ...fieldsOfTransforms(pulled, options)])],
    map: (record) =>
      record.deleted ? { record: tombstone(record) } : mapLive(entity, steps, stageOf, record, options),
    explain: (record) => steps.map((step) => explained(step, stageOf, record)),
  };
}

export function reads(direction: MappingRow["sync_direction"]): boolean {
  return direction === "pull" || direction === "bidirectional";
}

function stepFor(row: MappingRow, options: PlanOptions): Step[] {
  const field = appField(row.entity_type, row.app_field);
  if (field === null) return [];
  const required = row.is_required || (field !== "custom" && field.required === true);
  const convert = converter(field, row.data_type, options);
  const source = parseSource(row.crm_field);
  const transform = row.transform_function ? transformOf(row, options) : null;
  return [{ crmField: row.crm_field, source, appField: row.app_field, field, required, transform, convert }];
}

function transformOf(row: MappingRow, { transforms }: PlanOptions): Transform {
  if (transforms === undefined) return () => noSandbox("it was not opened");
  return (raw, fields) => transforms.apply(row, raw, fields);
}

function fieldsOfTransforms(rows: readonly MappingRow[], { transforms, knownFields }: PlanOptions): string[] {
  const named = rows.flatMap((row) => transforms?.fieldsUsed(row) ?? []);
  return named.filter((name) => knownFields?.has(name));
}

function mapLive(
  entity: EntityType,
  steps: readonly Step[],
  stageOf: StageOf,
  record: CrmRecord,
  options: PlanOptions,
): Mapped {
  const values: Record<string, Json> = {};
  const problems: Problem[] = [];
  for (const step of steps) {
    const value = converted(step, stageOf, record);
    if (value instanceof Misfit)
      problems.push({ code: value.code, text: `${step.crmField} ${value.why}`, field: step.crmField });
    else if (value !== undefined) values[step.appField] = value;
  }
  keepClosedOnly(values, steps);
  problems.push(...missingIdentity(entity, values, steps));
  return problems.length > 0 ? { rejected: rejection(record, problems, options) } : { record: live(record, values) };
}

/** undefined: nothing of it was read. */
function converted(step: Step, stageOf: StageOf, record: CrmRecord): Canonical | undefined {
  const raw = step.source.value(record.fields);
  if (raw === undefined && !isStage(step)) return undefined;
  const value = isStage(step) ? stageValue(stageOf, record, raw) : ordinaryValue(step, record, raw);
  if (value !== null || !step.required) return value;
  return new Misfit("required_missing", `is empty, and ${step.appField} is required`);
}

function explained(step: Step, stageOf: StageOf, record: CrmRecord): Outcome {
  const { crmField, appField } = step;
  const raw = step.source.value(record.fields);
  const value = converted(step, stageOf, record);
  const outcome: Outcome = raw === undefined ? { crmField, appField } : { crmField, appField, raw };
  if (value === undefined) return outcome;
  return value instanceof Misfit ? { ...outcome, misfit: value } : { ...outcome, value };
}

function ordinaryValue({ transform, convert }: Step, record: CrmRecord, raw: unknown): ReturnType<Convert> {
  const value = transform === null ? raw : transform(raw, record.fields);
  return value instanceof Misfit ? value : convert(value);
}

function isStage(step: Step): boolean {
  return step.field !== "custom" && step.field.kind === "stage";
}

function stageValue(stageOf: StageOf, record: CrmRecord, raw: unknown): string | null | Misfit {
  const stage = stageOf(record, raw);
  if (stage === null) return null;
  return (
    stage.key ??
    new Misfit("unmapped_stage", `is "${excerpt(stage.label)}", a stage that the stage mapping does not know`)
  );
}

function keepClosedOnly(values: Record<string, Json>, steps: readonly Step[]): void {
  const stage = typeof values.stage_key === "string" ? values.stage_key : null;
  if (isClosed(stage)) return;
  for (const step of steps) {
    const closedOnly = step.field !== "custom" && step.field.closedOnly;
    if (closedOnly && step.appField in values) values[step.appField] = null;
  }
}

export const IDENTITY: readonly [string, ...string[]] = ["last_name", "first_name", "email"];

/** A contact needs a name or an e-mail address, whichever of them the mapping reads. */
function missingIdentity(entity: EntityType, values: Record<string, Json>, steps: readonly Step[]): Problem[] {
  if (entity !== "contacts" || IDENTITY.some((name) => values[name])) return [];
  const field = steps.find((step) => IDENTITY.includes(step.appField))?.crmField ?? null;
  return [{ code: "required_missing", text: "neither a name nor an e-mail address is filled in", field }];
}

const WHERE_TO_MEND: Readonly<Record<string, (crmName: string) => string>> = {
  unmapped_stage: () => "Add it to the connection's stage mapping",
  transform_failed: (crmName) => `Correct the transform in the field mapping, or the record in ${crmName}`,
};

function rejection(record: CrmRecord, problems: readonly Problem[], options: PlanOptions): Rejection {
  const first = problems[0] as Problem;
  const what = problems.map((problem) => problem.text).join("; ");
  const where = WHERE_TO_MEND[first.code]?.(options.crmName) ?? `Change it in ${options.crmName}`;
  return {
    crm_id: record.id,
    code: first.code,
    message: `${sentence(what)}. ${where}, then retry the failed records.`,
    field: first.field,
  };
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function live(record: CrmRecord, values: Record<string, Json>): MergeRecord {
  const merged: MergeRecord = { crm_id: record.id, modified_at: record.modifiedAt, deleted: false, values };
  if (record.company !== undefined) merged.company = record.company;
  if (record.contact !== undefined) merged.contact = record.contact;
  if (record.ownerId !== undefined) merged.owner = record.ownerId;
  if (record.mayLag) merged.may_lag = true;
  if (record.stage) merged.stage = { pipeline: record.stage.pipeline, id: cleanText(record.stage.id) };
  return merged;
}

function tombstone(record: CrmRecord): MergeRecord {
  const gone: MergeRecord = { crm_id: record.id, modified_at: record.modifiedAt, deleted: true, values: {} };
  if (record.mergedInto) gone.merged_into = record.mergedInto;
  return gone;
}
