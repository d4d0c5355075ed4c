import { invalidProperties, type PropertyFault } from "./errors.ts";
import type { ObjectType } from "./schema/objects.ts";
import type { PropertyDef, PropertyType } from "./schema/property.ts";

const MAX_LENGTH = 65_536;

type Check = (definition: PropertyDef, value: string) => [code: string, message: string] | null;

const CHECKS: Partial<Record<PropertyType, Check>> = {
  number: (_definition, value) =>
    Number.isFinite(Number(value)) ? null : ["INVALID_INTEGER", `${value} was not a valid number.`],
  bool: (_definition, value) =>
    value === "true" || value === "false" ? null : ["INVALID_OPTION", `${value} was not one of true, false`],
  date: (_definition, value) => {
    const time = instantOf(value);
    if (time !== null && time % 86_400_000 === 0) return null;
    return ["INVALID_DATE", `${value} is not at midnight UTC or not a date.`];
  },
  datetime: (_definition, value) =>
    instantOf(value) === null ? ["INVALID_DATE", `${value} was not a valid date.`] : null,
  enumeration: checkOption,
};

/** Checks the properties of a write and returns them as text; an empty text clears. */
export function checkedProperties(type: ObjectType, given: Readonly<Record<string, unknown>>): Record<string, string> {
  const faults: PropertyFault[] = [];
  const values: Record<string, string> = {};
  for (const [name, raw] of Object.entries(given)) {
    const value = raw === null || raw === undefined ? "" : String(raw);
    const fault = faultOf(type, name, value);
    if (fault === null) values[name] = stored(type, name, value);
    else faults.push({ name, error: fault[0], message: fault[1] });
  }
  if (faults.length > 0) throw invalidProperties(faults);
  return values;
}

function faultOf(type: ObjectType, name: string, value: string): [string, string] | null {
  const definition = type.properties.get(name);
  if (definition === undefined) return ["PROPERTY_DOESNT_EXIST", `Property "${name}" does not exist`];
  if (definition.readOnly) return ["READ_ONLY_VALUE", `"${name}" is a read only property; its value cannot be set.`];
  if (value === "") return null;
  if (value.length > MAX_LENGTH) return ["INVALID_LENGTH", `${name} is longer than ${MAX_LENGTH} characters.`];
  if (name === "email" && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value)) {
    return ["INVALID_EMAIL", `Email address ${value} is invalid`];
  }
  return CHECKS[definition.type]?.(definition, value) ?? null;
}

function checkOption(definition: PropertyDef, value: string): [string, string] | null {
  if (definition.options.length === 0 || definition.externalOptions) return null;
  const allowed = definition.options.map((option) => option.value);
  const wrong = value.split(";").find((part) => !allowed.includes(part));
  return wrong === undefined
    ? null
    : ["INVALID_OPTION", `${wrong} was not one of the allowed options: [${allowed.join(", ")}]`];
}

/** Dates come as epoch milliseconds or ISO text and are kept as ISO. */
export function instantOf(value: string): number | null {
  const time = /^-?\d+$/.test(value) ? Number(value) : Date.parse(value);
  return Number.isNaN(time) ? null : time;
}

function stored(type: ObjectType, name: string, value: string): string {
  if (value === "") return "";
  const kind = type.properties.get(name)?.type;
  if (kind === "datetime") return new Date(instantOf(value) ?? 0).toISOString();
  if (kind === "date") return new Date(instantOf(value) ?? 0).toISOString().slice(0, 10);
  if (type.name === "companies" && name === "domain") return normalisedDomain(value);
  return name === "email" ? value.trim().toLowerCase() : value;
}

function normalisedDomain(value: string): string {
  return value
    .trim()
    .toLowerCase()
    .replace(/^https?:\/\//, "")
    .replace(/^www\./, "")
    .replace(/\/.*$/, "");
}
