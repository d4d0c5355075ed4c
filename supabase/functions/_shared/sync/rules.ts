import type { CrmFilter, EntityType } from "../crm/contract.ts";
import { parseFilter } from "./filters/parse.ts";
import { type FilterTerms, toCrmFilter } from "./filters/toCrm.ts";

/** sync_rules of a connection. The database refuses what does not fit, so a rule of another shape counts as none. */
export type SyncRules = Readonly<Record<string, unknown>> | null | undefined;

/** What a run is limited to, per entity. */
export type RunFilters = Readonly<Record<string, unknown>> | null | undefined;

/** App fields of an entity that are neither read nor written. */
export function excludedFields(rules: SyncRules, entity: EntityType): string[] {
  const names = rulesOf(rules, entity).exclude_fields;
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
}

/**
 * The filter of an entity in terms of the CRM, with that of the run where it has one; fails with kind `rejected` where it cannot
 * be put so.
 */
export function crmFilter(rules: SyncRules, terms: FilterTerms, ofRun?: RunFilters): CrmFilter | undefined {
  const stored = [rulesOf(rules, terms.entity).filter, ofRun?.[terms.entity]];
  const [first, second] = stored
    .filter((one) => one !== undefined && one !== null)
    .map((one) => toCrmFilter(parseFilter(one), terms));
  return first !== undefined && second !== undefined ? { all: [first, second] } : first;
}

function rulesOf(rules: SyncRules, entity: EntityType): Record<string, unknown> {
  const own = rules?.[entity];
  return typeof own === "object" && own !== null ? { ...own } : {};
}
