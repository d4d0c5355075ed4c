import type { CrmFailure } from "../../crm/contract.ts";
import { failure } from "../../crm/errors.ts";

/** Reading without the filter would bring in what nobody wants here, so a filter that cannot be followed stops its entity. */
export function filterRefusal(why: string): CrmFailure {
  const message = `The filter of this connection cannot be followed: ${why}. Nothing was read; change sync_rules, then sync again.`;
  return failure("rejected", "filter_invalid", message);
}
