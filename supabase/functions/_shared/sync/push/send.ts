import type { WriteResult } from "../../crm/contract.ts";
import type { Composed } from "../mapping/outbound.ts";
import { waiting } from "../prepare.ts";
import { onceAtMost, patiently } from "../retry.ts";
import type { Slice } from "../slice.ts";
import type { OutboundItem, OutboundResult } from "../store.ts";
import { lookUp } from "./lookUp.ts";
import type { Outbound } from "./outbound.ts";
import { answered, rejectedHere, written } from "./results.ts";

export interface Sending extends Outbound {
  pipelines: ReadonlyMap<string, string>;
  settle: (results: readonly OutboundResult[]) => Promise<void>;
}

type Send = (slice: Slice, sending: Sending, items: readonly OutboundItem[]) => Promise<void>;

/** Look-ups first: what they do not find is created in the next round. */
const SENDERS: readonly [OutboundItem["action"], Send][] = [
  ["look_up", lookUp],
  ["create", create],
  ["update", update],
  ["delete", remove],
];

/** Writes a batch, action by action; each is settled before the next is sent. */
export async function send(slice: Slice, sending: Sending, items: readonly OutboundItem[]): Promise<void> {
  for (const [action, sender] of SENDERS) {
    const some = items.filter((item) => item.action === action);
    if (some.length > 0) await sender(slice, sending, some);
  }
}

/**
 * A create that got no answer is not repeated: the record may be there. It is not settled either, so its intent stays, and a
 * later slice looks for it before anything is created.
 */
async function create(slice: Slice, sending: Sending, items: readonly OutboundItem[]): Promise<void> {
  const { entity, externalIdField, writing } = sending;
  const ready = await composed(sending, items, ({ key }) => (externalIdField ? { [externalIdField]: key } : {}));
  if (ready.length === 0) return;
  const writes = ready.map(({ write }) => write);
  const create = () => slice.session.use((one) => slice.crm.createRecords(one, { entity, writes, externalIdField }));
  const results = await onceAtMost(waiting(slice), () => writing(create));
  await settleAnswers(sending, ready, results);
}

/** Writing the same values twice changes nothing, so an update may be repeated. */
async function update(slice: Slice, sending: Sending, items: readonly OutboundItem[]): Promise<void> {
  const { entity, writing } = sending;
  const ready = await composed(sending, items, () => ({}));
  const changing = ready.filter(hasContent);
  const idle = ready.filter((one) => !hasContent(one));
  // Only fields that do not fit, or that this CRM does not let anybody set: there is nothing to call it for.
  await sending.settle(idle.map((one) => written(one.item, one.item.crm_id, one)));
  if (changing.length === 0) return;
  const writes = changing.map(({ item, write }) => ({ ...write, id: item.crm_id ?? "" }));
  const update = () => slice.session.use((one) => slice.crm.updateRecords(one, { entity, writes }));
  const results = await patiently(waiting(slice), () => writing(update));
  await settleAnswers(sending, changing, results, "every");
}

async function remove(slice: Slice, sending: Sending, items: readonly OutboundItem[]): Promise<void> {
  const { entity, writing } = sending;
  const ids = items.map(({ crm_id }) => crm_id ?? "");
  const remove = () => slice.session.use((one) => slice.crm.deleteRecords(one, { entity, ids }));
  const results = await patiently(waiting(slice), () => writing(remove));
  const byId = new Map(results.map((result) => [result.key, result]));
  await sending.settle(items.map((item) => answered(item, byId.get(item.crm_id ?? "") ?? unanswered(item), NOTHING)));
}

const NOTHING: Pick<Composed, "sent" | "problems"> = { sent: { values: {}, relations: {} }, problems: [] };

interface Ready extends Composed {
  item: OutboundItem;
}

/** The writes of a batch. Items that do not fit the CRM are settled here, with the reason. */
async function composed(
  { plan, pipelines, settle }: Sending,
  items: readonly OutboundItem[],
  more: (item: OutboundItem) => Record<string, unknown>,
): Promise<Ready[]> {
  const ready: Ready[] = [];
  const refused: OutboundResult[] = [];
  for (const item of items) {
    const made = plan.compose(item, pipelines.get(item.crm_id ?? ""));
    if (made.rejected) refused.push(rejectedHere(item, made.rejected));
    else ready.push({ ...made, item, write: { ...made.write, fields: { ...made.write.fields, ...more(item) } } });
  }
  await settle(refused);
  return ready;
}

function hasContent({ write }: Ready): boolean {
  const { fields, key: _key, ...rest } = write;
  return Object.keys(fields).length > 0 || Object.keys(rest).length > 0;
}

/** A write without a result: an update is tried again, a create stays unsettled, as if no answer had come. */
async function settleAnswers(
  { settle }: Sending,
  ready: readonly Ready[],
  results: readonly WriteResult[],
  which: "every" | "answered" = "answered",
): Promise<void> {
  const byKey = new Map(results.map((result) => [result.key, result]));
  const outcomes = ready.flatMap((one) => {
    const result = byKey.get(one.item.key) ?? (which === "every" ? unanswered(one.item) : undefined);
    return result === undefined ? [] : [answered(one.item, result, one)];
  });
  await settle(outcomes);
}

function unanswered({ key, crm_id }: OutboundItem): WriteResult {
  return { key, outcome: "failed", id: crm_id };
}
