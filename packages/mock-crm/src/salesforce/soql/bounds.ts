import type { ValueCondition } from "@jetstreamapp/soql-parser-js";
import type { ObjectDef } from "../schema/object.ts";
import type { Condition } from "./ast.ts";
import { literalValue } from "./literal.ts";

const LOWER = new Set(["=", ">", ">="]);

/**
 * The least value of a field that a row must have to satisfy the condition, or null when the condition sets none.
 * It lets a query start in the middle of an index; the whole condition is still tested on each row.
 */
export function lowerBound(object: ObjectDef, fieldName: "SystemModstamp" | "Id", condition: Condition): string | null {
  if (condition.kind === "not") return null;
  if (condition.kind === "compare") return comparedBound(object, fieldName, condition.test);
  const bounds = boundsOf(object, fieldName, condition.parts).sort();
  if (condition.kind === "and") return bounds.at(-1) ?? null;
  // A branch without a bound lets any row through.
  return bounds.length < condition.parts.length ? null : (bounds[0] ?? null);
}

function comparedBound(object: ObjectDef, fieldName: "SystemModstamp" | "Id", test: ValueCondition): string | null {
  const { field, operator, value, literalType } = test;
  if (field.toLowerCase() !== fieldName.toLowerCase() || !LOWER.has(operator) || Array.isArray(value)) return null;
  const definition = object.byName.get(fieldName.toLowerCase());
  if (definition === undefined) return null;
  const bound = literalValue(definition, value, Array.isArray(literalType) ? literalType[0] : literalType);
  return typeof bound === "string" ? bound : null;
}

function boundsOf(object: ObjectDef, fieldName: "SystemModstamp" | "Id", parts: readonly Condition[]): string[] {
  return parts.map((part) => lowerBound(object, fieldName, part)).filter((bound) => bound !== null);
}

/** The ids of a top-level `Id = x` or `Id IN (…)`, so that such a query reads only those rows. */
export function idsAskedFor(object: ObjectDef, condition: Condition): string[] | null {
  if (condition.kind === "and") {
    for (const part of condition.parts) {
      const ids = idsAskedFor(object, part);
      if (ids !== null) return ids;
    }
    return null;
  }
  if (condition.kind !== "compare") return null;
  const { field, operator, value } = condition.test;
  if (field.toLowerCase() !== "id" || (operator !== "=" && operator !== "IN")) return null;
  const definition = object.byName.get("id");
  if (definition === undefined) return null;
  const texts = Array.isArray(value) ? value : [value];
  const ids = texts.map((text) => literalValue(definition, text, text === "NULL" ? "NULL" : "STRING"));
  return ids.filter((id) => typeof id === "string");
}
