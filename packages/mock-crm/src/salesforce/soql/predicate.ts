import type { LiteralType, ValueCondition } from "@jetstreamapp/soql-parser-js";
import { malformedQuery, SalesforceError } from "../errors.ts";
import type { FieldValue, Row } from "../row.ts";
import type { FieldDef, FieldType } from "../schema/field.ts";
import type { ObjectDef } from "../schema/object.ts";
import type { SalesforceStore } from "../store.ts";
import type { Condition } from "./ast.ts";
import { literalValue, unquote } from "./literal.ts";
import { readPath, resolvePath } from "./path.ts";

export type Predicate = (row: Row) => boolean;
type Test = (value: FieldValue) => boolean;

/** Text compares without case; ids, dates and instants as they are stored. */
export const CASELESS: ReadonlySet<FieldType> = new Set(["string", "textarea", "picklist", "email", "phone", "url"]);

export function compilePredicate(store: SalesforceStore, object: ObjectDef, condition: Condition): Predicate {
  if (condition.kind === "not") {
    const inner = compilePredicate(store, object, condition.part);
    return (row) => !inner(row);
  }
  if (condition.kind === "compare") return compileTest(store, object, condition.test);
  const parts = condition.parts.map((part) => compilePredicate(store, object, part));
  return condition.kind === "and"
    ? (row) => parts.every((part) => part(row))
    : (row) => parts.some((part) => part(row));
}

function compileTest(store: SalesforceStore, object: ObjectDef, condition: ValueCondition): Predicate {
  const path = resolvePath(store, object, condition.field);
  if (path.field.type === "textarea" || path.field.type === "address") throw notFilterable(path.field);
  const read = readPath(store, path);
  const test = operatorTest(path.field, condition);
  if (!CASELESS.has(path.field.type)) return (row) => test(read(row));
  return (row) => {
    const value = read(row);
    return test(typeof value === "string" ? value.toLowerCase() : value);
  };
}

function operatorTest(field: FieldDef, condition: ValueCondition): Test {
  const { operator } = condition;
  if (operator === "IN" || operator === "NOT IN") return listTest(field, condition);
  if (Array.isArray(condition.value)) throw malformedQuery(`unexpected list after ${operator}`);
  if (operator === "LIKE") return likeTest(field, condition.value);
  const wanted = literalValue(field, condition.value, firstType(condition));
  const order = ORDER_TESTS[operator];
  if (order === undefined) throw malformedQuery(`operator ${operator} is beyond this mock's SOQL`);
  return order(wanted);
}

const ORDER_TESTS: Partial<Record<string, (wanted: FieldValue) => Test>> = {
  "=": (wanted) => (value) => value === wanted,
  "!=": (wanted) => (value) => value !== wanted,
  "<": (wanted) => (value) => value !== null && wanted !== null && value < wanted,
  "<=": (wanted) => (value) => value !== null && wanted !== null && value <= wanted,
  ">": (wanted) => (value) => value !== null && wanted !== null && value > wanted,
  ">=": (wanted) => (value) => value !== null && wanted !== null && value >= wanted,
};

function listTest(field: FieldDef, condition: ValueCondition): Test {
  const texts = Array.isArray(condition.value) ? condition.value : [condition.value];
  const types = condition.literalType;
  const wanted = new Set(texts.map((text, at) => literalValue(field, text, Array.isArray(types) ? types[at] : types)));
  return condition.operator === "IN" ? (value) => wanted.has(value) : (value) => !wanted.has(value);
}

function likeTest(field: FieldDef, quoted: string): Test {
  if (!CASELESS.has(field.type)) {
    throw new SalesforceError(
      "INVALID_OPERATOR_FOR_DATATYPE",
      `${field.type} field ${field.name} cannot be used with LIKE`,
    );
  }
  const pattern = new RegExp(`^${likePattern(unquote(quoted).toLowerCase())}$`, "s");
  return (value) => typeof value === "string" && pattern.test(value);
}

function likePattern(text: string): string {
  return text.replace(/\\[%_]|[%_]|[.*+?^${}()|[\]\\]/g, (match) => {
    if (match === "%") return ".*";
    if (match === "_") return ".";
    return match.length === 2 ? match.slice(1) : `\\${match}`;
  });
}

function firstType(condition: ValueCondition): LiteralType | undefined {
  return Array.isArray(condition.literalType) ? condition.literalType[0] : condition.literalType;
}

function notFilterable(field: FieldDef): SalesforceError {
  return new SalesforceError("INVALID_FIELD", `field '${field.name}' can not be filtered in a query call`);
}
