import type { LiteralType } from "@jetstreamapp/soql-parser-js";
import { malformedQuery, SalesforceError } from "../errors.ts";
import { toId18 } from "../ids.ts";
import { type FieldValue, stamp } from "../row.ts";
import type { FieldDef, FieldType } from "../schema/field.ts";

const NUMERIC: ReadonlySet<FieldType> = new Set(["int", "double", "currency", "percent"]);
const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };

/** Reads one literal for one field into the form in which rows hold it. */
export function literalValue(field: FieldDef, text: string, type: LiteralType | undefined): FieldValue {
  if (type === "NULL") return null;
  if (field.type === "boolean")
    return type === "BOOLEAN" ? text.toLowerCase() === "true" : mismatch(field, "boolean", type);
  if (NUMERIC.has(field.type)) {
    return type === "INTEGER" || type === "DECIMAL" ? Number(text) : mismatch(field, "double", type);
  }
  if (field.type === "datetime") return type === "DATETIME" ? instant(text) : mismatch(field, "dateTime", type);
  if (field.type === "date") return type === "DATE" ? text : mismatch(field, "date", type);
  if (type !== "STRING") return mismatch(field, "string", type);
  const value = unquote(text);
  return field.type === "id" || field.type === "reference" ? idLiteral(field, value) : value.toLowerCase();
}

/** Strips the quotes and undoes SOQL's backslash escapes; `\%` and `\_` are left for LIKE. */
export function unquote(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/gs, (whole, character: string) => {
    if (character === "%" || character === "_") return whole;
    return ESCAPES[character] ?? character;
  });
}

function instant(text: string): string {
  const time = Date.parse(text.replace(/ (\d\d:\d\d)$/, "+$1"));
  if (Number.isNaN(time)) throw malformedQuery(`line 1: invalid dateTime '${text}'`);
  return stamp(time);
}

function idLiteral(field: FieldDef, value: string): string {
  const id = toId18(value);
  if (id === null)
    throw new SalesforceError("INVALID_QUERY_FILTER_OPERATOR", `invalid ID field: ${value} (${field.name})`);
  return id;
}

function mismatch(field: FieldDef, wanted: string, got: LiteralType | undefined): never {
  const quotes = wanted === "string" ? "should be enclosed in quotes" : "should not be enclosed in quotes";
  const message = `value of filter criterion for field '${field.name}' must be of type ${wanted} and ${quotes} (found ${got ?? "nothing"})`;
  throw new SalesforceError("INVALID_FIELD", message);
}
