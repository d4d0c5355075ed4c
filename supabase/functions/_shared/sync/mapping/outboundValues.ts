import type { CrmField, MappingDataType } from "../../crm/contract.ts";
import type { Json } from "../json.ts";
import { optionFor } from "./outboundOptions.ts";
import { toBoolean, toDate, toDateTime, toNumber } from "./scalars.ts";
import { Misfit } from "./text.ts";

/** A value as the CRM's API takes it. */
export type Outgoing = string | number | boolean | null | Misfit;

type ToCrm = (value: Json, field: CrmField) => Outgoing;

/** The CRM's field decides, whatever ours is. */
const TO_CRM: Record<MappingDataType, ToCrm> = {
  string: asText,
  email: asText,
  phone: asText,
  url: asText,
  number: toNumber,
  boolean: toBoolean,
  date: toDate,
  datetime: toDateTime,
  picklist: (value, field) => (Array.isArray(value) ? oneOf(value, field) : choice(value, field)),
  array: severalOf,
  object: asText,
};

/** null clears the field. */
export function toCrm(value: Json, field: CrmField): Outgoing {
  if (value === null || value === "") return null;
  const outgoing = TO_CRM[field.type](value, field);
  return typeof outgoing === "string" ? withinLimit(outgoing, field) : outgoing;
}

function withinLimit(text: string, { maxLength }: CrmField): string | Misfit {
  if (maxLength === undefined || text.length <= maxLength) return text;
  return new Misfit("too_long", `would hold ${text.length} characters; at most ${maxLength} fit`);
}

function asText(value: Json): string {
  if (Array.isArray(value)) return value.map(asText).join(";");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? "");
}

function severalOf(value: Json, field: CrmField): Outgoing {
  const items = Array.isArray(value) ? value : asText(value).split(";");
  const chosen: string[] = [];
  for (const item of items) {
    const option = choice(item, field);
    if (option instanceof Misfit) return option;
    if (option !== null) chosen.push(option);
  }
  return chosen.length === 0 ? null : chosen.join(";");
}

function oneOf(values: readonly Json[], field: CrmField): string | null | Misfit {
  const [only = null] = values;
  if (values.length > 1) return new Misfit("several_values", `takes one value, and there are ${values.length}`);
  return choice(only, field);
}

function choice(value: Json, field: CrmField): string | null | Misfit {
  const text = asText(value).trim();
  return text === "" ? null : optionFor(text, field);
}
