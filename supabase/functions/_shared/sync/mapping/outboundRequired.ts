import type { CrmField } from "../../crm/contract.ts";
import type { Problem } from "./outboundProblems.ts";
import type { MappingRow } from "./plan.ts";
import { sourceParts } from "./source.ts";

interface NewRecord {
  fields: Readonly<Record<string, unknown>>;
  stage?: unknown;
  /** Fields that did not fit. */
  problems: readonly Problem[];
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

  /** Fields that would be empty, each with the reason. */
  unmet(record: NewRecord): Problem[] {
    return this.#required
      .filter(({ name, ours }) => (ours === "stage_key" ? record.stage === undefined : isEmpty(record.fields[name])))
      .map(({ name, ours }) => record.problems.find(({ field }) => field === name) ?? this.#missing(name, ours));
  }

  #missing(field: string, ours: string | null): Problem {
    const empty = ours === null ? "nothing here is mapped to it" : `${ours} is empty`;
    return { code: "required_missing", text: `${this.#crmName} needs ${field}, and ${empty}`, field };
  }
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}
