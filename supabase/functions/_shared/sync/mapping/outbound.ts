import type { CrmField, EntityType, RecordWrite } from "../../crm/contract.ts";
import type { Json } from "../json.ts";
import { misfit, type Problem, partly, readOnly, rejection } from "./outboundProblems.ts";
import { RequiredFields } from "./outboundRequired.ts";
import { type ReadBack, readBack, type Shown } from "./outboundShown.ts";
import { type CrmStageRef, type StageFor, severalPipelines, stageChooser } from "./outboundStages.ts";
import { toCrm } from "./outboundValues.ts";
import type { MappingRow, PlanRules } from "./plan.ts";
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
  /** Where reading it back will bring another spelling: that one, by app field. */
  shown?: Record<string, Shown>;
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
  /** Fields that do not fit and were left out. */
  problems: OutboundRejection[];
}

export type Outgoing =
  | (Composed & { rejected?: never })
  | { rejected: OutboundRejection; write?: never; sent?: never; problems?: never };

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
  readBack: ReadBack;
  /** Why none of its fields is written: one of them cannot be. A field that is gone is told once per run, not here. */
  closed: Problem | null;
}

interface Draft {
  fields: Record<string, unknown>;
  stage?: CrmStageRef;
  values: Record<string, Json>;
  shown: Record<string, Shown>;
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
  options: PlanRules,
): OutboundPlan {
  const pushed = goingOut(entity, rows, options);
  const steps = stepsOf(pushed, fields, options);
  const required = new RequiredFields(fields, pushed, options.crmName);
  const stageFor = stageChooser(stages);
  return {
    severalPipelines: severalPipelines(stages),
    compose: (record, pipeline) => {
      const draft = drafted(record, steps, (key) => stageFor(key, pipeline));
      const unmet = record.action === "create" ? required.unmet(draft) : [];
      if (unmet.length > 0) return { rejected: rejection(unmet, options.crmName) };
      const problems = draft.problems.map((problem) => partly(problem, options.crmName));
      return { ...finished(record, draft), problems };
    },
  };
}

/** The mappings of an entity whose values go to the CRM. */
export function goingOut(
  entity: EntityType,
  rows: readonly MappingRow[],
  { exclude }: Pick<PlanRules, "exclude">,
): MappingRow[] {
  return rows.filter(
    (row) => row.entity_type === entity && writes(row.sync_direction) && !exclude?.includes(row.app_field),
  );
}

function writes(direction: MappingRow["sync_direction"]): boolean {
  return direction === "push" || direction === "bidirectional";
}

/** Where several of our fields go to one field of the CRM, the one that is read back from it speaks for it; else the first. */
function stepsOf(rows: readonly MappingRow[], fields: readonly CrmField[], options: PlanRules): Step[] {
  const byName = new Map(fields.map((field) => [field.name, field]));
  const taken = new Set<string>();
  const bothWays = rows.filter((row) => row.sync_direction === "bidirectional");
  const oneWay = rows.filter((row) => row.sync_direction !== "bidirectional");
  return [...bothWays, ...oneWay].map((row) => {
    const parts = sourceParts(row.crm_field).flatMap(({ part, field: name }): Part[] => {
      const field = byName.get(name);
      if (field === undefined || taken.has(name)) return [];
      return [{ part, field }];
    });
    const shut = parts.find(({ field }) => field.readOnly)?.field;
    // An object that lacks one of its parts there would be read back as another one.
    const isWhole = shut === undefined && sourceParts(row.crm_field).every(({ field }) => byName.has(field));
    if (isWhole) for (const { field } of parts) taken.add(field.name);
    return {
      appField: row.app_field,
      parts: isWhole ? parts : [],
      readBack: readBack(row, options),
      closed: shut === undefined ? null : readOnly(shut.name),
    };
  });
}

/** A field of ours goes out as a whole or not at all: the base takes no halves. */
function drafted(record: OutboundRecord, steps: readonly Step[], stageFor: (key: Json) => ReturnType<StageFor>): Draft {
  const draft: Draft = { fields: {}, values: {}, shown: {}, problems: [] };
  for (const step of steps) {
    const value = Object.hasOwn(record.values, step.appField) ? record.values[step.appField] : undefined;
    const [first] = step.parts;
    if (value !== undefined && first === undefined && step.closed !== null) draft.problems.push(step.closed);
    if (value === undefined || first === undefined) continue;
    const taken =
      step.appField === "stage_key"
        ? setStage(draft, first.field, stageFor(value))
        : setFields(draft, step, value, record.action === "create");
    if (taken) draft.values[step.appField] = value;
  }
  return draft;
}

function setStage(draft: Draft, { name }: CrmField, stage: ReturnType<StageFor>): boolean {
  if (stage instanceof Misfit) draft.problems.push(misfit(name, stage));
  else draft.stage = stage;
  return !(stage instanceof Misfit);
}

/** A part that our object does not have clears its field; a new record has nothing to clear. */
function setFields(draft: Draft, step: Step, value: Json, isNew: boolean): boolean {
  const fields: Record<string, string | number | boolean | null> = {};
  for (const { part, field } of step.parts) {
    const outgoing = toCrm(part === null ? value : partOf(value, part), field);
    if (outgoing instanceof Misfit) {
      draft.problems.push(misfit(field.name, outgoing));
      return false;
    }
    fields[field.name] = outgoing;
  }
  const shown = step.readBack(fields, value);
  if (shown !== null) draft.shown[step.appField] = shown;
  for (const [name, one] of Object.entries(fields)) if (one !== null || !isNew) draft.fields[name] = one;
  return true;
}

function partOf(value: Json, part: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return Object.hasOwn(value, part) ? (value[part] ?? null) : null;
}

function finished({ key, relations, action }: OutboundRecord, draft: Draft): Omit<Composed, "problems"> {
  const { fields, stage, values, shown } = draft;
  const set = Object.entries(relations).filter(([, id]) => id !== undefined && (id !== null || action !== "create"));
  const sent: Sent = {
    values,
    relations: Object.fromEntries(set),
    ...(Object.keys(shown).length > 0 ? { shown } : {}),
  };
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
