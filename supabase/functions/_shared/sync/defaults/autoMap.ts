import type { CrmField, EntityType } from "../../crm/contract.ts";
import { APP_FIELDS, type AppFieldKind } from "../appFields.ts";

export interface Guess {
  app: string;
  confidence: number;
  reason: string;
}

const NAME_CONFIDENCE = 0.9;
const LABEL_CONFIDENCE = 0.8;
const WORDS_CONFIDENCE = 0.7;
const ENOUGH_WORDS = 0.75;

/** Which CRM types a column can take without a person looking at it first. */
const FITS: Partial<Record<AppFieldKind, ReadonlySet<string>>> = {
  text: new Set(["string", "picklist", "phone", "email", "url"]),
  integer: new Set(["number"]),
  decimal: new Set(["number"]),
  date: new Set(["date", "datetime"]),
  email: new Set(["email", "string"]),
  phone: new Set(["phone", "string"]),
  url: new Set(["url", "string"]),
  list: new Set(["array"]),
};

/** The free column whose name is that of the field, or of its label, or nearly so; null when nothing is close. */
export function guess(entity: EntityType, field: CrmField, taken: ReadonlySet<string>): Guess | null {
  const free = Object.entries(APP_FIELDS[entity]).filter(
    ([app, column]) => !taken.has(app) && FITS[column.kind]?.has(field.type),
  );
  const guesses = free.flatMap(([app]) => alike(app, field) ?? []);
  return guesses.sort((a, b) => b.confidence - a.confidence)[0] ?? null;
}

function alike(app: string, field: CrmField): Guess | null {
  const ours = words(app);
  if (same(ours, words(field.name))) return { app, confidence: NAME_CONFIDENCE, reason: `Same name as ${app}` };
  if (same(ours, words(field.label))) return { app, confidence: LABEL_CONFIDENCE, reason: `Its label says ${app}` };
  if (overlap(ours, words(field.label)) < ENOUGH_WORDS) return null;
  return { app, confidence: WORDS_CONFIDENCE, reason: `Its label "${field.label}" is close to ${app}` };
}

/** `Lead_Source__c`, "Lead Source" and `leadSource` are the same two words. */
function words(name: string): string[] {
  return name
    .replace(/__c$/i, "")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length > 0 && a.join("") === b.join("");
}

function overlap(a: readonly string[], b: readonly string[]): number {
  const shared = a.filter((word) => b.includes(word)).length;
  return (2 * shared) / (a.length + b.length || 1);
}

/** The name of a custom field under custom_fields: `Engage_Date__c` becomes `engage_date`. */
export function customName(field: CrmField): string {
  return words(field.name).join("_").slice(0, 90) || "field";
}
