import { CrmFailure, type CrmFilter, type EntityType, type HighWater } from "../crm/contract.ts";
import { patiently } from "./retry.ts";
import { crmFilter } from "./rules.ts";
import type { Slice } from "./slice.ts";

/** Once per run, before anything else: who owns records, and how many there are to read. */
export async function prepare(slice: Slice): Promise<void> {
  await refreshOwners(slice);
  const { entities, phases } = slice.claim;
  if (!phases.includes("pull")) return;
  const totals = await Promise.all(entities.map(async (entity) => [entity, await total(slice, entity)] as const));
  await slice.deps.store.setTotals(slice.run, Object.fromEntries(totals));
}

async function refreshOwners(slice: Slice): Promise<void> {
  const { deps, claim, crm, session } = slice;
  try {
    const owners = await patiently(waiting(slice), () => session.use((one) => crm.owners(one)));
    const rows = owners.map((owner) => ({ crm_user_id: owner.id, email: owner.email, name: owner.name }));
    await deps.store.upsertOwners(claim.config_id, rows);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    await leaveOut(slice, null, error.detail);
  }
}

/** A count that the CRM refuses is no reason to stop: progress then goes without a total. */
async function total(slice: Slice, entity: EntityType): Promise<number | null> {
  const since = await highWater(slice, entity);
  try {
    const filter = filterOf(slice, entity);
    return await patiently(waiting(slice), () =>
      slice.session.use((one) => slice.crm.count(one, entity, since, filter)),
    );
  } catch (error) {
    if (!isRefusal(error)) throw error;
    slice.deps.log.warn("count refused", { entity, code: error.detail.code });
    return null;
  }
}

/** Which records of an entity this run wants. A filter that cannot be followed is a refusal. */
export function filterOf({ claim }: Slice, entity: EntityType): CrmFilter | undefined {
  const { mappings, stages, settings } = claim;
  const terms = { entity, mappings, stages, currentUser: settings.crm_user ?? null };
  return crmFilter(settings.sync_rules, terms, settings.filters);
}

/** From where on an entity is read; null is everything. */
export async function highWater({ deps, claim }: Slice, entity: EntityType): Promise<HighWater | null> {
  const { filters, reads_all } = claim.settings;
  if (reads_all && filters?.[entity] !== undefined) return null;
  const stored = await deps.store.incrementalCursor(claim.config_id, entity);
  if (stored === null) return null;
  const { modified_at: modifiedAt, ...rest } = stored;
  return { modifiedAt, ...rest };
}

export function waiting({ deps, remainingMs }: Slice) {
  return { sleep: deps.sleep, random: deps.random, remainingMs };
}

export function isRefusal(error: unknown): error is CrmFailure {
  return error instanceof CrmFailure && error.detail.kind === "rejected";
}

/** What the CRM refuses is noted, and the run is no success. */
export async function leaveOut(slice: Slice, entity: EntityType | null, why: CrmFailure["detail"]): Promise<void> {
  slice.partial = true;
  const { code, userMessage } = why;
  await slice.deps.store.noteError(slice.run, { entity, kind: "rejected", code, message: userMessage });
}
