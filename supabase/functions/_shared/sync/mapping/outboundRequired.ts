import type { CrmField } from "../../crm/contract.ts";
import type { MappingRow } from "./plan.ts";
import { sourceParts } from "./source.ts";

interface NewRecord {
  fields: Readonly<Record<string, unknown>>;
  stage?: unknown;
}

/** What the CRM wants of a new record. Asked before the call, so that the answer is a sentence about fields that people know. */
export class RequiredFields {
  readonly #crmName: string;
  readonly #required: readonly { name: string; ours: string | null }[];

  constructor(fields: readonly CrmField[], rows: readonly MappingRow[], crmName: string) {
    this.#crmName = crmName;
    const ours = new Map(
      rows.flatMap((row) => sourceParts(row.crm_field).map(({ field }) => [field, row.app_field] as const)),
    );
    this.#required = fields
      .filter((field) => field.required && !field.readOnly)
      .map(({ name }) => ({ name, ours: ours.get(name) ?? null }));
  }

  missing(record: NewRecord): { code: string; text: string; field: string }[] {
    return this.#required
      .filter(({ name, ours }) => (ours === "stage_key" ? record.stage === undefined : isEmpty(record.fields[name])))
      .map(({ name, ours }) => ({
        code: "required_missing",
        text: `${this.#crmName} needs ${name}, and ${ours === null ? "nothing here is mapped to it" : `${ours} is empty`}`,
        field: name,
      }));
  }
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}
