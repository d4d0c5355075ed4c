import type { CrmField, CrmSession, EntityType } from "./contract.ts";

const FRESH_MS = 5 * 60_000;

/**
 * Which fields the account has. Reading asks before every page, because a field that was removed in the CRM would make
 * the whole query fail; a few minutes old is fresh enough.
 */
export function fieldCache(
  describe: (session: CrmSession, entity: EntityType) => Promise<CrmField[]>,
  now: () => Date,
): (session: CrmSession, entity: EntityType) => Promise<ReadonlySet<string>> {
  const cache = new Map<string, { at: number; names: ReadonlySet<string> }>();
  return async (session, entity) => {
    const key = `${session.instanceUrl} ${session.externalAccountId} ${entity}`;
    const hit = cache.get(key);
    if (hit !== undefined && now().getTime() - hit.at < FRESH_MS) return hit.names;
    const names = new Set((await describe(session, entity)).map((field) => field.name));
    cache.set(key, { at: now().getTime(), names });
    return names;
  };
}
