import type { CrmError, RelationName, WriteResult } from "../../crm/contract.ts";
import type { Composed, OutboundRejection, Sent } from "../mapping/outbound.ts";
import type { OutboundItem, OutboundResult, PushCounts } from "../store.ts";

export const NOTHING_SENT: PushCounts = { created: 0, updated: 0, deleted: 0, failed: 0, linked: 0, retried: 0 };
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
export function answered(
  item: OutboundItem,
  result: WriteResult,
  { sent, problems }: Pick<Composed, "sent" | "problems">,
): OutboundResult {
  if (result.outcome === "failed") return failed(item, result);
  const crmId = result.id ?? item.crm_id;
  if (result.outcome !== "written") return settled(item, result.outcome, crmId);
  const left = result.left ?? [];
  const modified = result.modifiedAt === undefined ? {} : { modified: result.modifiedAt };
  return {
    ...written(item, crmId, { sent: without(sent, left), problems: [...problems, ...left.map(unset)] }),
    ...modified,
  };
}

export function written(
  item: OutboundItem,
  crmId: string | null,
  { sent, problems }: Pick<Composed, "sent" | "problems">,
): OutboundResult {
  return {
    ...settled(item, "written", crmId),
    sent: sent.values,
    relations: sent.relations,
    ...(sent.shown === undefined ? {} : { shown: sent.shown }),
    ...(problems.length === 0 ? {} : { problems }),
  };
}

/** The base takes only what the CRM took: a relation that it left out is no change of the CRM's when it is read again. */
function without(sent: Sent, left: readonly RelationName[]): Sent {
  const relations = Object.entries(sent.relations).filter(([name]) => !left.includes(name.slice(1) as RelationName));
  return { ...sent, relations: Object.fromEntries(relations) };
}

function unset(relation: RelationName): OutboundRejection {
  const message = `The CRM took this record without its ${relation}, which it does not let this user set or empty there. Change the ${relation} in the CRM, or here to what the CRM has.`;
  return { code: "relation_not_set", message, field: null };
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
    error: { kind, code: error.code, message: error.userMessage, field: error.field ?? null },
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

export function ambiguous(item: OutboundItem, crmName: string): OutboundResult {
  const message = `${crmName} did not answer when this record was created, and now has several that may be it. It is not created a second time. Leave one of them there, or make it recognisable by its name, e-mail address or website, then retry the failed records.`;
  return {
    ...settled(item, "failed", null),
    error: { kind: "rejected", code: "lookup_ambiguous", message, field: null },
  };
}

export function settled(item: OutboundItem, outcome: OutboundResult["outcome"], crmId: string | null): OutboundResult {
  const { key, version, action, updated_at } = item;
  return { key, version, action, outcome, crm_id: crmId, sent: {}, relations: {}, updated_at };
}

/** Something came of it: the CRM took a record, or said for good that it will not. */
export function isProgress({ outcome, error }: OutboundResult): boolean {
  return outcome !== "failed" || error?.kind === "rejected";
}
