import type { EntityType } from "../crm/contract.ts";
import type { DbFailure } from "../db/types.ts";
import type { MappingRow, MergeRecord, Rejection } from "./mapping/plan.ts";

/** Classes of SQLSTATE that speak of data: one record in the page breaks a rule of its table. */
const DATA_ERROR = /^2[23]/;

export function isDataError(code: string): boolean {
  return DATA_ERROR.test(code);
}

/** What is wrong with a value, by SQLSTATE. */
const WRONG: Readonly<Record<string, string>> = {
  "22001": "is too long",
  "22003": "is out of range",
  "22007": "is no date",
  "22008": "is no date that exists",
  "22021": "has characters that cannot be kept",
  "22P05": "has characters that cannot be kept",
  "23502": "is empty, and a record cannot be kept without it",
  "23503": "points to a record that is not here",
  "23505": "belongs to another record here already",
};
const NOT_ALLOWED = "is not allowed";

export interface Refusal {
  entity: EntityType;
  /** As people call it. */
  crmName: string;
  mappings: readonly MappingRow[];
}

/** A record that the database would not take, though it had passed the checks before. Postgres' own words are for the log. */
export function refused({ crm_id }: MergeRecord, failure: DbFailure, refusal: Refusal): Rejection {
  const { crmName } = refusal;
  const field = fieldOf(failure, refusal);
  const what = `${field ?? "a value of this record"} ${WRONG[failure.code] ?? NOT_ALLOWED}`;
  const message = `${crmName}'s value does not fit here: ${what}. Change it in ${crmName}, then retry the failed records.`;
  return { crm_id, code: `sql_${failure.code}`, message, field };
}

/** The CRM's field behind the column that the database speaks of; null where it names none, or one that is not mapped. */
function fieldOf({ column, constraint, table }: DbFailure, { entity, mappings }: Refusal): string | null {
  const named = column ?? constraint?.replace(`${table}_`, "").replace(/_(check|fkey|key)$/, "");
  const mapping = mappings.find((row) => row.entity_type === entity && row.app_field === named);
  return mapping?.crm_field ?? null;
}
