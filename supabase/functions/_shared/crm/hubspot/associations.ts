import type { AssociatedId } from "@hubspot/api-client/lib/codegen/crm/objects/models/AssociatedId.js";
import type { Paging } from "@hubspot/api-client/lib/codegen/crm/objects/models/Paging.js";
import type { CrmRecord, EntityType } from "../contract.ts";
import { malformed } from "../errors.ts";
import { call, type HubSpotClient } from "./client.ts";
import { CRM } from "./errors.ts";
import { OBJECTS, type Relation } from "./objects.ts";

export type Relations = Pick<CrmRecord, "company" | "contact">;

type Named = [keyof Relations, Relation];

const CHUNK = 100;

/** How HubSpot names the targets in a list answer. */
export function associationNames(entity: EntityType): string[] | undefined {
  const names = named(entity).map(([, relation]) => relation.to);
  return names.length > 0 ? names : undefined;
}

type Listed = Record<string, { results: AssociatedId[]; paging?: Paging }> | undefined;

/** Whether a list answer left off where the one that counts may still come. */
export function isCutShort(entity: EntityType, associations: Listed): boolean {
  return named(entity).some(([, { to, types }]) => {
    const { results, paging } = associations?.[to] ?? { results: [] };
    return paging?.next !== undefined && !results.some(({ type }) => type === types[0]);
  });
}

/** From a list answer, which brings them along. */
export function listedRelations(entity: EntityType, associations: Listed): Relations {
  return Object.fromEntries(
    named(entity).map(([key, relation]) => [key, firstByType(relation, associations?.[relation.to]?.results ?? [])]),
  );
}

/** A search answers without associations, so they are asked for separately: two requests per page at most. */
export async function fetchRelations(
  client: HubSpotClient,
  entity: EntityType,
  ids: readonly string[],
): Promise<Map<string, Relations>> {
  const found = new Map<string, Relations>(ids.map((id) => [id, {}]));
  for (const [key, relation] of named(entity)) {
    const targets = await fetchTargets(client, entity, relation, ids);
    for (const id of ids) found.set(id, { ...found.get(id), [key]: targets.get(id) ?? null });
  }
  return found;
}

/** Of each record the association that counts. Further pages are read as long as it may still come. */
export async function fetchTargets(
  client: HubSpotClient,
  entity: EntityType,
  relation: Relation,
  ids: readonly string[],
): Promise<Map<string, string>> {
  const targets = new Map<string, string>();
  for (let start = 0; start < ids.length; start += CHUNK) {
    const found = new Map<string, Target[]>();
    let inputs: Input[] = ids.slice(start, start + CHUNK).map((id) => ({ id }));
    while (inputs.length > 0) {
      const asked = { inputs };
      const answer = await call(() => client.associations.getPage(OBJECTS[entity].name, relation.to, asked));
      assertOnlyMissing("errors" in answer ? answer.errors : undefined);
      inputs = answer.results.flatMap(({ _from, to, paging }): Input[] => {
        found.set(_from.id, [...(found.get(_from.id) ?? []), ...to]);
        const after = paging?.next?.after;
        return after === undefined || to.some((one) => isOfType(one, relation.typeIds[0]))
          ? []
          : [{ id: _from.id, after }];
      });
    }
    for (const [id, to] of found) {
      const target = firstByTypeId(relation, to);
      if (target !== null) targets.set(id, target);
    }
  }
  return targets;
}

interface Input {
  id: string;
  after?: string;
}

/** 207: a record without associations counts as an error there. Any other error must not look like "none". */
function assertOnlyMissing(
  errors: readonly { category?: string; subCategory?: unknown; message?: string }[] = [],
): void {
  const real = errors.find(
    ({ category, subCategory }) => !/NOT_FOUND|NO_ASSOCIATIONS/i.test(`${category} ${subCategory}`),
  );
  if (real !== undefined) throw malformed(CRM, { associations: real.category, message: real.message });
}

interface Target {
  toObjectId: string;
  associationTypes: readonly { typeId: number }[];
}

function firstByTypeId({ typeIds, only }: Relation, targets: readonly Target[]): string | null {
  const wanted = typeIds.map((typeId) => targets.find((to) => isOfType(to, typeId)));
  const target = wanted.find((to) => to !== undefined) ?? (only ? undefined : targets[0]);
  return target === undefined ? null : String(target.toObjectId);
}

function isOfType({ associationTypes }: Target, typeId: number | undefined): boolean {
  return associationTypes.some((type) => type.typeId === typeId);
}

function firstByType({ types }: Relation, targets: readonly AssociatedId[]): string | null {
  const wanted = types.map((type) => targets.find((to) => to.type === type));
  return (wanted.find((to) => to !== undefined) ?? targets[0])?.id ?? null;
}

function named(entity: EntityType): Named[] {
  return Object.entries(OBJECTS[entity].relations) as Named[];
}
