import type { CrmError, WriteResult } from "../../crm/contract.ts";
import { redactText } from "../../log/redact.ts";
import type { OutboundRejection, Sent } from "../mapping/outbound.ts";
import type { OutboundItem, OutboundResult, PushCounts } from "../store.ts";

export const NOTHING_SENT: PushCounts = { created: 0, updated: 0, deleted: 0, failed: 0, linked: 0, retried: 0 };
const NOTHING: Sent = { values: {}, relations: {} };

export function addedCounts(a: PushCounts, b: PushCounts): PushCounts {
  return {
    created: a.created + b.created,
    updated: a.updated + b.updated,
    deleted: a.deleted + b.deleted,
    failed: a.failed + b.failed,
    linked: a.linked + b.linked,
    retried: a.retried + b.retried,
  };
}

/** What the CRM said about one item. */
export function answered(item: OutboundItem, result: WriteResult, sent: Sent): OutboundResult {
  if (result.outcome === "failed") return failed(item, result);
  return settled(item, result.outcome, result.id ?? item.crm_id, result.outcome === "written" ? sent : NOTHING);
}

/** A create that failed after it had made the record: the link is what keeps it from being made again, the rest follows as an edit. */
function failed(item: OutboundItem, result: WriteResult): OutboundResult {
  if (item.action === "create" && result.id !== null) return settled(item, "exists", result.id);
  return { ...settled(item, "failed", item.crm_id), ...(result.error ? explained(result.error) : NO_REASON) };
}

const NO_REASON: Pick<OutboundResult, "error"> = {
  error: {
    kind: "transient",
    code: "no_answer",
    message: "The CRM did not say what became of this record.",
    field: null,
  },
};

/** A limit or lost access that hit one record only: the record is tried again, and the next call will tell about the rest. */
function explained(error: CrmError & { field?: string }): Pick<OutboundResult, "error" | "retry_after_ms"> {
  const kind = error.kind === "rejected" ? "rejected" : "transient";
  return {
    error: { kind, code: error.code, message: redactText(error.userMessage), field: error.field ?? null },
    ...(error.retryAfterMs === undefined ? {} : { retry_after_ms: error.retryAfterMs }),
  };
}

/** Refused before anybody called the CRM. */
export function rejectedHere(item: OutboundItem, { code, message, field }: OutboundRejection): OutboundResult {
  return { ...settled(item, "failed", item.crm_id), error: { kind: "rejected", code, message, field } };
}

export function tooEarly(item: OutboundItem, waitMs: number): OutboundResult {
  const message = "The CRM did not answer when this record was created. It is looked for there once it would show up.";
  return {
    ...settled(item, "failed", null),
    error: { kind: "transient", code: "answer_lost", message, field: null },
    retry_after_ms: waitMs,
  };
}

export function settled(
  item: OutboundItem,
  outcome: OutboundResult["outcome"],
  crmId: string | null,
  sent: Sent = NOTHING,
): OutboundResult {
  const { key, version, action, updated_at } = item;
  return { key, version, action, outcome, crm_id: crmId, sent: sent.values, relations: sent.relations, updated_at };
}

/** Something came of it: the CRM took a record, or said for good that it will not. */
export function isProgress({ outcome, error }: OutboundResult): boolean {
  return outcome !== "failed" || error?.kind === "rejected";
}
