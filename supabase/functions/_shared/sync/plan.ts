import type { CrmRecord, EntityType } from "../crm/contract.ts";
import {
  compilePlan,
  type MappingPlan,
  type MergeRecord,
  type PlanRules,
  type Rejection,
  reads,
} from "./mapping/plan.ts";
import type { Transforms } from "./mapping/transform/index.ts";
import { CRM_NAMES } from "./names.ts";
import { waiting } from "./prepare.ts";
import { patiently } from "./retry.ts";
import { excludedFields } from "./rules.ts";
import type { Slice } from "./slice.ts";

export async function planFor(slice: Slice, entity: EntityType): Promise<MappingPlan> {
  const { claim } = slice;
  const transforms = await slice.transforms.open();
  return compilePlan(entity, claim.mappings, claim.stages, {
    ...rulesFor(slice, entity),
    transforms,
    knownFields: await knownFields(slice, entity, transforms),
  });
}

/** What the connection's rules say of both directions. */
export function rulesFor({ claim }: Slice, entity: EntityType): PlanRules {
  const country = claim.settings.sync_rules?.phone_country;
  return {
    crmName: CRM_NAMES[claim.crm_provider],
    phoneCountry: typeof country === "string" ? country : undefined,
    exclude: excludedFields(claim.settings.sync_rules, entity),
  };
}

/** The CRM is asked for its fields only where a transform reads some by name: a name may be misspelt, or mean something else. */
async function knownFields(slice: Slice, entity: EntityType, transforms: Transforms): Promise<Set<string>> {
  const rows = slice.claim.mappings.filter((row) => row.entity_type === entity && reads(row.sync_direction));
  if (rows.every((row) => transforms.fieldsUsed(row).length === 0)) return new Set();
  const fields = await patiently(waiting(slice), () => slice.session.use((one) => slice.crm.describe(one, entity)));
  return new Set(fields.map(({ name }) => name));
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
