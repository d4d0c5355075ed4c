import { z } from "zod";
import type { SliceLimits } from "./slice.ts";

const seconds = z.coerce.number().positive().max(120);
const size = z.coerce.number().int().positive().max(10_000);

const settings = z.object({
  CRM_SYNC_SLICE_SECONDS: seconds.default(25),
  CRM_SYNC_PAGE_SIZE: size.optional(),
});

/** Two seconds of processor time per request is all an Edge Function has; a record costs well under 0.05 ms of it. */
const SLICE_RECORDS = 25_000;
const MERGE_RECORDS = 2_000;
const LEASE_SECONDS = 30;

export function sliceLimits(env: Readonly<Record<string, string | undefined>>): SliceLimits {
  const chosen = settings.parse(env);
  return {
    sliceMs: chosen.CRM_SYNC_SLICE_SECONDS * 1000,
    sliceRecords: SLICE_RECORDS,
    mergeRecords: MERGE_RECORDS,
    pageSize: chosen.CRM_SYNC_PAGE_SIZE,
    leaseSeconds: LEASE_SECONDS,
  };
}
