import type { CrmField, MappingDataType } from "../../crm/contract.ts";
import type { Json } from "../json.ts";
import { toBoolean, toDate, toDateTime, toNumber } from "./scalars.ts";
import { excerpt, Misfit } from "./text.ts";

/** A value as the CRM's API takes it. */
export type Outgoing = string | number | boolean | null | Misfit;

type ToCrm = (value: Json, field: CrmField) => Outgoing;

const OPTIONS_SHOWN = 300;

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
  picklist: (value, field) => (Array.isArray(value) ? oneOf(value, field) : optionFor(value, field)),
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
    const option = optionFor(item, field);
    if (option instanceof Misfit) return option;
    if (option !== null) chosen.push(option);
  }
  return chosen.length === 0 ? null : chosen.join(";");
}

function oneOf(values: readonly Json[], field: CrmField): string | null | Misfit {
  const [only = null] = values;
  if (values.length > 1) return new Misfit("several_values", `takes one value, and there are ${values.length}`);
  return optionFor(only, field);
}

/**
 * By value, else by label, to the letter: two CRMs that spell an option differently would otherwise hand it to and fro for
 * ever. A field whose options the CRM does not tell takes what it is given.
 */
function optionFor(value: Json, { options = [] }: CrmField): string | null | Misfit {
  const text = asText(value).trim();
  if (text === "" || options.length === 0) return text || null;
  const option = options.find((one) => one.value === text) ?? options.find((one) => one.label === text);
  if (option !== undefined) return option.value;
  const known = excerpt(options.map((one) => one.value).join(", "), OPTIONS_SHOWN);
  return new Misfit("not_an_option", `does not offer "${excerpt(text)}"; it offers ${known}`);
}
