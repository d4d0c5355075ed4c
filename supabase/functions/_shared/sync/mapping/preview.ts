import type { CrmField, CrmRecord, EntityType } from "../../crm/contract.ts";
import type { Json } from "../json.ts";
import { compileOutbound, goingOut, type OutboundPlan, type OutboundRejection, type Outgoing } from "./outbound.ts";
import { compilePlan, type MappingPlan, type MappingRow, type Outcome, type PlanOptions } from "./plan.ts";
import { sourceParts } from "./source.ts";
import type { StageRow } from "./stages.ts";

/** Our record, where there is one, by app field. */
export interface OurRecord {
  record_id: string;
  name: string;
  fields: Readonly<Record<string, Json>>;
}

export interface Complaint {
  code: string;
  message: string;
}

/** One field on its way from the CRM to us. */
export interface PulledField {
  crm_field: string;
  app_field: string;
  /** As the CRM has it. */
  raw: unknown;
  /** Ours as it is now, and as it would be. */
  before: Json;
  after: Json;
  error: Complaint | null;
}

/** One field on its way from us to the CRM. */
export interface PushedField {
  app_field: string;
  crm_field: string;
  value: Json;
  /** The CRM's as it is now, and as it would be. */
  before: unknown;
  after: unknown;
  error: Complaint | null;
}

export interface Direction<Action, Field> {
  /** What becomes of the record on the other side; refused: nothing, and `problem` says why. */
  action: Action | "refused";
  problem: (Complaint & { field: string | null }) | null;
  fields: Field[];
}

export interface PreviewedRecord {
  crm_id: string | null;
  record_id: string | null;
  name: string | null;
  /** null where the CRM does not have the record. */
  pull: Direction<"create" | "update" | "delete", PulledField> | null;
  /** null where we do not have it. */
  push: Direction<"create" | "update", PushedField> | null;
}

export interface Preview {
  /** What to ask the CRM for: what is read, and what would be overwritten. */
  crmFields: string[];
  show(theirs: CrmRecord | null, ours: OurRecord | null): PreviewedRecord;
}

interface Subject {
  entity: EntityType;
  mappings: readonly MappingRow[];
  stages: readonly StageRow[];
  fields: readonly CrmField[];
}

/** Both directions of a mapping on single records, by the plans that a sync uses. Who wins a conflict is not asked. */
export function openPreview({ entity, mappings, stages, fields }: Subject, options: PlanOptions): Preview {
  const inbound = compilePlan(entity, mappings, stages, options);
  const outbound = compileOutbound(entity, mappings, stages, fields, options);
  const pushed = goingOut(entity, mappings, options);
  const existing = new Set(fields.map(({ name }) => name));
  const overwritten = pushed.flatMap((row) => sourceParts(row.crm_field).map(({ field }) => field));
  return {
    crmFields: [...new Set([...inbound.crmFields, ...overwritten.filter((name) => existing.has(name))])],
    show: (theirs, ours) => ({
      crm_id: theirs?.id ?? null,
      record_id: ours?.record_id ?? null,
      name: ours?.name ?? null,
      pull: theirs === null ? null : pulling(inbound, theirs, ours),
      push: ours === null || theirs?.deleted ? null : pushing(outbound, pushed, theirs, ours),
    }),
  };
}

function pulling(plan: MappingPlan, theirs: CrmRecord, ours: OurRecord | null): NonNullable<PreviewedRecord["pull"]> {
  if (theirs.deleted) return { action: "delete", problem: null, fields: [] };
  const { record, rejected } = plan.map(theirs);
  const fields = plan.explain(theirs).map((outcome) => pulledField(outcome, record?.values, ours));
  if (rejected) return { action: "refused", problem: complaint(rejected), fields };
  return { action: ours === null ? "create" : "update", problem: null, fields };
}

function pulledField(
  { crmField, appField, raw, value, misfit }: Outcome,
  values: Readonly<Record<string, Json>> | undefined,
  ours: OurRecord | null,
): PulledField {
  const before = ours?.fields[appField] ?? null;
  return {
    crm_field: crmField,
    app_field: appField,
    raw: raw ?? null,
    before,
    // Of a whole record, what it may not have after all is taken out again: a closing date of an open deal.
    after: misfit ? before : ((values && Object.hasOwn(values, appField) ? values[appField] : value) ?? null),
    error: misfit ? { code: misfit.code, message: `${crmField} ${misfit.why}` } : null,
  };
}

function pushing(
  plan: OutboundPlan,
  rows: readonly MappingRow[],
  theirs: CrmRecord | null,
  ours: OurRecord,
): NonNullable<PreviewedRecord["push"]> {
  const action = theirs === null ? "create" : "update";
  const pipeline = theirs?.stage?.pipeline;
  const values = Object.fromEntries(rows.map(({ app_field: name }) => [name, ours.fields[name] ?? null]));
  const whole = plan.compose({ key: ours.record_id, action, values, relations: {} }, pipeline);
  const fields = Object.entries(values).flatMap(([name, value]) => {
    // Alone and as an update, so that one that is refused does not hide what becomes of the others.
    const alone = plan.compose({ key: name, action: "update", values: { [name]: value }, relations: {} }, pipeline);
    return pushedFields(name, value, alone, rows).map((field) => ({ ...field, before: nowInCrm(field, theirs) }));
  });
  if (whole.rejected) return { action: "refused", problem: complaint(whole.rejected), fields };
  return { action, problem: null, fields };
}

function pushedFields(
  app_field: string,
  value: Json,
  outgoing: Outgoing,
  rows: readonly MappingRow[],
): Omit<PushedField, "before">[] {
  const named = rows.find((row) => row.app_field === app_field)?.crm_field ?? "";
  const one = (crm_field: string, after: unknown) => ({ app_field, crm_field, value, after, error: null });
  // Refused, or left out of the write: the CRM keeps what it has.
  const problem = outgoing.rejected ?? outgoing.problems[0];
  if (problem !== undefined) {
    const { code, message, field } = problem;
    return [{ ...one(field ?? named, null), error: { code, message } }];
  }
  if (outgoing.write === undefined) return [];
  const { fields, stage } = outgoing.write;
  const written = Object.entries(fields).map(([name, after]) => one(name, after));
  return stage === undefined ? written : [...written, one(named, stage.id)];
}

function nowInCrm({ app_field, crm_field }: Omit<PushedField, "before">, theirs: CrmRecord | null): unknown {
  if (app_field === "stage_key" && theirs?.stage) return theirs.stage.id;
  return theirs !== null && Object.hasOwn(theirs.fields, crm_field) ? (theirs.fields[crm_field] ?? null) : null;
}

function complaint({ code, message, field }: OutboundRejection): Complaint & { field: string | null } {
  return { code, message, field };
}
