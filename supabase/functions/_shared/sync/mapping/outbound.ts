import type { CrmField, EntityType, RecordWrite } from "../../crm/contract.ts";
import type { Json } from "../json.ts";
import { RequiredFields } from "./outboundRequired.ts";
import { type StageFor, severalPipelines, stageChooser } from "./outboundStages.ts";
import { toCrm } from "./outboundValues.ts";
import type { MappingRow } from "./plan.ts";
import { sourceParts } from "./source.ts";
import type { StageRow } from "./stages.ts";
import { Misfit } from "./text.ts";

/** What is to go out of one record of ours: as the database takes it out of its outbox. */
export interface OutboundRecord {
  key: string;
  action: string;
  /** By app field, as the base has them. */
  values: Readonly<Record<string, Json>>;
  /** Ids of the CRM. */
  relations: Relations;
}

export interface Relations {
  $company?: string | null;
  $contact?: string | null;
  $owner?: string | null;
}

/** Of an item, what a write really holds. */
export interface Sent {
  values: Record<string, Json>;
  relations: Relations;
}

export interface OutboundRejection {
  code: string;
  message: string;
  /** The CRM's, as the message names it. */
  field: string | null;
}

export interface Composed {
  write: RecordWrite;
  sent: Sent;
}

export type Outgoing = (Composed & { rejected?: never }) | { rejected: OutboundRejection; write?: never; sent?: never };

export interface OutboundPlan {
  severalPipelines: boolean;
  /** `pipeline`: the one that the record is in, where it is known. */
  compose(record: OutboundRecord, pipeline?: string): Outgoing;
}

interface Part {
  /** Of an object of ours; null where the field takes the whole value. */
  part: string | null;
  field: CrmField;
}

interface Step {
  appField: string;
  parts: readonly Part[];
}

interface Problem {
  code: string;
  text: string;
  field: string;
}

interface Draft {
  fields: Record<string, unknown>;
  stage?: { pipeline: string; id: string };
  sent: Sent;
  problems: Problem[];
}

/**
 * Mapping rows and the CRM's own description of its fields become a plan once per slice; `compose` runs once per record.
 * Transforms are for what comes in: a value goes out as it is.
 */
export function compileOutbound(
  entity: EntityType,
  rows: readonly MappingRow[],
  stages: readonly StageRow[],
  fields: readonly CrmField[],
  options: { crmName: string },
): OutboundPlan {
  const pushed = rows.filter((row) => row.entity_type === entity && writes(row.sync_direction));
  const steps = stepsOf(pushed, fields);
  const required = new RequiredFields(fields, pushed, options.crmName);
  const stageFor = stageChooser(stages);
  return {
    severalPipelines: severalPipelines(stages),
    compose: (record, pipeline) => {
      const draft = drafted(record, steps, (key) => stageFor(key, pipeline));
      if (record.action === "create") draft.problems.push(...required.missing(draft));
      if (draft.problems.length > 0) return { rejected: rejection(draft.problems, options.crmName) };
      return finished(record, draft);
    },
  };
}

function writes(direction: MappingRow["sync_direction"]): boolean {
  return direction === "push" || direction === "bidirectional";
}

/** Where several of our fields go to one field of the CRM, the one that is read back from it speaks for it; else the first. */
function stepsOf(rows: readonly MappingRow[], fields: readonly CrmField[]): Step[] {
  const byName = new Map(fields.map((field) => [field.name, field]));
  const taken = new Set<string>();
  const bothWays = rows.filter((row) => row.sync_direction === "bidirectional");
  const oneWay = rows.filter((row) => row.sync_direction !== "bidirectional");
  return [...bothWays, ...oneWay].map((row) => {
    const parts = sourceParts(row.crm_field).flatMap(({ part, field: name }): Part[] => {
      const field = byName.get(name);
      if (field === undefined || field.readOnly || taken.has(name)) return [];
      taken.add(name);
      return [{ part, field }];
    });
    return { appField: row.app_field, parts };
  });
}

function drafted(record: OutboundRecord, steps: readonly Step[], stageFor: (key: Json) => ReturnType<StageFor>): Draft {
  const draft: Draft = { fields: {}, sent: { values: {}, relations: {} }, problems: [] };
  for (const step of steps) {
    const value = Object.hasOwn(record.values, step.appField) ? record.values[step.appField] : undefined;
    const [first] = step.parts;
    if (value === undefined || first === undefined) continue;
    if (step.appField === "stage_key") setStage(draft, first.field, stageFor(value));
    else for (const part of step.parts) setField(draft, part, value, record.action === "create");
    draft.sent.values[step.appField] = value;
  }
  return draft;
}

function setStage(draft: Draft, field: CrmField, stage: ReturnType<StageFor>): void {
  if (stage instanceof Misfit)
    draft.problems.push({ code: stage.code, text: `${field.name} ${stage.why}`, field: field.name });
  else draft.stage = stage;
}

/** A part that our object does not have clears its field; a new record has nothing to clear. */
function setField(draft: Draft, { part, field }: Part, value: Json, isNew: boolean): void {
  const outgoing = toCrm(part === null ? value : partOf(value, part), field);
  if (outgoing instanceof Misfit)
    draft.problems.push({ code: outgoing.code, text: `${field.name} ${outgoing.why}`, field: field.name });
  else if (outgoing !== null || !isNew) draft.fields[field.name] = outgoing;
}

function partOf(value: Json, part: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return Object.hasOwn(value, part) ? (value[part] ?? null) : null;
}

function finished({ key, relations, action }: OutboundRecord, { fields, stage, sent }: Draft): Composed {
  const set = Object.entries(relations).filter(([, id]) => id !== undefined && (id !== null || action !== "create"));
  sent.relations = Object.fromEntries(set);
  const { $company, $contact, $owner } = sent.relations;
  const write: RecordWrite = {
    key,
    fields,
    ...($company === undefined ? {} : { company: $company }),
    ...($contact === undefined ? {} : { contact: $contact }),
    ...($owner === undefined ? {} : { owner: $owner }),
    ...(stage === undefined ? {} : { stage }),
  };
  return { write, sent };
}

function rejection(problems: readonly Problem[], crmName: string): OutboundRejection {
  const [first] = problems as [Problem];
  const what = problems.map((problem) => problem.text).join("; ");
  const how =
    first.code === "unmapped_stage"
      ? "Add one to the connection's stage mapping, then retry the failed records"
      : "Change it here, or its mapping, and it is sent again";
  return { code: first.code, message: `${crmName} did not get this record: ${what}. ${how}.`, field: first.field };
}
