import type { LookupCandidate } from "../../crm/contract.ts";
import { waiting } from "../prepare.ts";
import { patiently } from "../retry.ts";
import type { Slice } from "../slice.ts";
import type { OutboundItem } from "../store.ts";
import { settled, tooEarly } from "./results.ts";
import type { Sending } from "./send.ts";

/** Whether creates that got no answer were done after all. Asked only once the CRM would show a record that new. */
export async function lookUp(slice: Slice, sending: Sending, items: readonly OutboundItem[]): Promise<void> {
  const { crm, session, deps } = slice;
  const now = deps.now().getTime();
  const waitOf = ({ intent_at }: OutboundItem) => Math.max(0, Date.parse(intent_at ?? "") + crm.lookUpLagMs - now) || 0;
  const early = items.filter((item) => waitOf(item) > 0);
  await sending.settle(early.map((item) => tooEarly(item, waitOf(item))));
  const ripe = items.filter((item) => waitOf(item) === 0);
  if (ripe.length === 0) return;
  const { entity, externalIdField } = sending;
  const candidates = ripe.map((item) => candidate(item, externalIdField, deps.now()));
  const found = await patiently(waiting(slice), () =>
    session.use((one) => crm.lookUp(one, { entity, candidates, externalIdField })),
  );
  await sending.settle(
    ripe.map((item) => {
      const id = found.get(item.key);
      return id === undefined ? settled(item, "missing", null) : settled(item, "exists", id);
    }),
  );
}

function candidate(item: OutboundItem, externalIdField: string | undefined, now: Date): LookupCandidate {
  const { email, domain, name } = item.match;
  return {
    key: item.key,
    createdAfter: new Date(item.intent_at ?? now).toISOString(),
    ...(externalIdField === undefined ? {} : { externalId: item.key }),
    ...(email ? { email } : {}),
    ...(domain ? { domain } : {}),
    ...(name ? { name } : {}),
  };
}
