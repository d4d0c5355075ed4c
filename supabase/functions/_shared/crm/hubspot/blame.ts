import type { CrmError } from "../contract.ts";
import { statusOf } from "../errors.ts";

const STATUSES: readonly (number | null)[] = [400, 404, 409];

/** Refusals that one record of a batch can be the cause of. A missing permission (403) concerns all of them. */
export function blamesRecords(error: CrmError): boolean {
  return error.kind === "rejected" && STATUSES.includes(statusOf(error));
}
