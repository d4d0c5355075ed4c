import {
  type AssociationSpec,
  AssociationSpecAssociationCategoryEnum as Category,
} from "@hubspot/api-client/lib/codegen/crm/associations/v4/models/AssociationSpec.js";
import type { PublicAssociationsForObject } from "@hubspot/api-client/lib/codegen/crm/objects/models/PublicAssociationsForObject.js";
import { failed, sendInParts, type WriteError, written } from "../batch.ts";
import type { EntityType, RecordWrite, WriteResult } from "../contract.ts";
import { readBatch } from "./answers.ts";
import { fetchTargets } from "./associations.ts";
import { blamesRecords } from "./blame.ts";
import { call, type HubSpotClient } from "./client.ts";
import { OBJECTS, type Relation, type RelationName } from "./objects.ts";

/** Relations are associations: given with a new record, else changed one pair at a time. */

export interface Related extends Pick<RecordWrite, "key" | RelationName> {
  id: string;
}

const NAMES: readonly RelationName[] = ["company", "contact"];

/** What a new record is tied to. */
export function newAssociations(entity: EntityType, write: RecordWrite): PublicAssociationsForObject[] {
  return NAMES.flatMap((name) => {
    const [relation, id] = [relationOf(entity, name), write[name]];
    return relation === undefined || id == null ? [] : [{ to: { id }, types: specs(relation) }];
  }) as PublicAssociationsForObject[];
}

export function hasRelations(entity: EntityType, write: Pick<RecordWrite, RelationName>): boolean {
  return NAMES.some((name) => write[name] !== undefined && relationOf(entity, name) !== undefined);
}

/** What could not be tied or untied, by key. */
export async function setRelations(
  client: HubSpotClient,
  entity: EntityType,
  records: readonly Related[],
): Promise<Map<string, WriteError>> {
  const errors = new Map<string, WriteError>();
  for (const name of NAMES) {
    const relation = relationOf(entity, name);
    if (relation === undefined) continue;
    const changes = await changesOf(client, entity, relation, name, records);
    for (const result of await change(client, entity, relation, changes)) {
      if (result.error !== undefined) errors.set(result.key, result.error);
    }
  }
  return errors;
}

interface Change {
  key: string;
  id: string;
  from: string | null;
  to: string | null;
}

async function changesOf(
  client: HubSpotClient,
  entity: EntityType,
  relation: Relation,
  name: RelationName,
  records: readonly Related[],
): Promise<Change[]> {
  const given = records.filter((record) => record[name] !== undefined);
  const now = await fetchTargets(
    client,
    entity,
    relation,
    given.map(({ id }) => id),
  );
  return given
    .map((record) => ({ key: record.key, id: record.id, from: now.get(record.id) ?? null, to: record[name] ?? null }))
    .filter(({ from, to }) => from !== to);
}

/** The new tie comes first, so that a refusal leaves the old one; where there can be one only, it has to make room. */
async function change(
  client: HubSpotClient,
  entity: EntityType,
  relation: Relation,
  changes: readonly Change[],
): Promise<WriteResult[]> {
  if (relation.only) await untie(client, entity, relation, changes);
  const tied = await tie(
    client,
    entity,
    relation,
    changes.filter(({ to }) => to !== null),
  );
  const refused = new Set(tied.filter(({ outcome }) => outcome === "failed").map(({ key }) => key));
  if (!relation.only)
    await untie(
      client,
      entity,
      relation,
      changes.filter(({ key }) => !refused.has(key)),
    );
  return tied;
}

function tie(
  client: HubSpotClient,
  entity: EntityType,
  relation: Relation,
  changes: readonly Change[],
): Promise<WriteResult[]> {
  const refused = ({ key }: Change, error: WriteError) => failed(key, error);
  return sendInParts(changes, {
    refused,
    blamesRecords,
    send: async (part) => {
      const inputs = part.map(({ id, to }) => ({ _from: { id }, to: { id: to ?? "" }, types: specs(relation) }));
      const answer = await call(() => client.associations.create(OBJECTS[entity].name, relation.to, { inputs }));
      return readBatch(part, answer, {
        namesOf: ({ id }) => [id],
        namesIn: ({ fromObjectId }) => [String(fromObjectId)],
        done: ({ key, id }) => written(key, id),
        refused,
      });
    },
  });
}

async function untie(
  client: HubSpotClient,
  entity: EntityType,
  relation: Relation,
  changes: readonly Change[],
): Promise<void> {
  const inputs = changes.flatMap(({ id, from }) => (from === null ? [] : [{ _from: { id }, to: [{ id: from }] }]));
  if (inputs.length === 0) return;
  await call(() => client.associations.archive(OBJECTS[entity].name, relation.to, { inputs }));
}

function specs({ typeIds }: Relation): AssociationSpec[] {
  return typeIds.map((associationTypeId) => ({ associationCategory: Category.HubspotDefined, associationTypeId }));
}

function relationOf(entity: EntityType, name: RelationName): Relation | undefined {
  const { relations, parentRelation } = OBJECTS[entity];
  return relations[name] ?? (name === "company" ? parentRelation : undefined);
}
