import type { CrmRecord, EntityType } from "../crm/contract.ts";
import { compilePlan, type MappingPlan, type MergeRecord, type Rejection } from "./mapping/plan.ts";
import { CRM_NAMES } from "./names.ts";
import { excludedFields } from "./rules.ts";
import type { Slice } from "./slice.ts";

export function planFor({ claim }: Slice, entity: EntityType): MappingPlan {
  const country = claim.settings.sync_rules?.phone_country;
  return compilePlan(entity, claim.mappings, claim.stages, {
    crmName: CRM_NAMES[claim.crm_provider],
    phoneCountry: typeof country === "string" ? country : undefined,
    exclude: excludedFields(claim.settings.sync_rules, entity),
  });
}

export function mapAll(
  plan: MappingPlan,
  all: readonly CrmRecord[],
): { records: MergeRecord[]; rejected: Rejection[] } {
  const records: MergeRecord[] = [];
  const rejected: Rejection[] = [];
  for (const record of all) {
    const result = plan.map(record);
    if (result.rejected) rejected.push(result.rejected);
    else records.push(result.record);
  }
  return { records, rejected };
}
