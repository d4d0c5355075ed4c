import type { CrmFailure, CrmRecord, EntityType } from "../crm/contract.ts";
import { filterFields, matchesFilter } from "../crm/filterMatch.ts";
import { filterOf, isRefusal } from "./prepare.ts";
import type { Slice } from "./slice.ts";

/** Which records of an entity may begin here when they come by name. Linked ones go on whatever it says. */
export interface Wanted {
  /** What has to be read to know. */
  fields: readonly string[];
  includes: (record: CrmRecord) => boolean;
  /** Why nothing can be said, so that nothing begins. */
  refusal?: CrmFailure["detail"];
}

export const EVERYTHING: Wanted = { fields: [], includes: () => true };

export function wantedBy(slice: Slice, entity: EntityType): Wanted {
  try {
    const filter = filterOf(slice, entity);
    if (filter === undefined) return EVERYTHING;
    return { fields: filterFields(filter), includes: (record) => matchesFilter(filter, record) };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { fields: [], includes: () => false, refusal: error.detail };
  }
}
