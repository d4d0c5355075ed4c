import type { CrmField, CrmSession, EntityType } from "./contract.ts";

const FRESH_MS = 5 * 60_000;

export interface KnownFields {
  names: ReadonlySet<string>;
  /** Of these, the ones that an update may not set. */
  readOnly: ReadonlySet<string>;
  /** All of them, as described. */
  fields: ReadonlyMap<string, CrmField>;
}

/**
 * Which fields the account has. Reading asks before every page, because a field that was removed in the CRM would make
 * the whole query fail; a few minutes old is fresh enough.
 */
export function fieldCache(
  describe: (session: CrmSession, entity: EntityType) => Promise<CrmField[]>,
  now: () => Date,
): (session: CrmSession, entity: EntityType) => Promise<KnownFields> {
  const cache = new Map<string, { at: number; known: KnownFields }>();
  return async (session, entity) => {
    const key = `${session.instanceUrl} ${session.externalAccountId} ${entity}`;
    const hit = cache.get(key);
    if (hit !== undefined && now().getTime() - hit.at < FRESH_MS) return hit.known;
    const known = summary(await describe(session, entity));
    cache.set(key, { at: now().getTime(), known });
    return known;
  };
}

function summary(fields: readonly CrmField[]): KnownFields {
  const readOnly = fields.filter((field) => field.readOnly);
  return {
    names: new Set(fields.map(({ name }) => name)),
    readOnly: new Set(readOnly.map(({ name }) => name)),
    fields: new Map(fields.map((field) => [field.name, field])),
  };
}
