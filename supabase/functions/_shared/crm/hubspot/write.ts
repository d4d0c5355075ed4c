import {
  assertBatchSize,
  failed,
  forOneRecord,
  inRounds,
  knowingSome,
  type Sending,
  sendInParts,
  sendRounds,
  type WriteError,
  withLeft,
  written,
} from "../batch.ts";
import {
  type CreateRequest,
  CrmFailure,
  type DeleteRequest,
  type EntityType,
  type FetchRequest,
  type RecordWrite,
  type UpdateRequest,
  type WriteResult,
} from "../contract.ts";
import { existingId, readBatch, type WrittenObject } from "./answers.ts";
import { blamesRecords } from "./blame.ts";
import { call, type HubSpotClient } from "./client.ts";
import { CRM } from "./errors.ts";
import { fetchRecords } from "./fetch.ts";
import { OBJECTS } from "./objects.ts";
import { toProperties } from "./properties.ts";
import { modifiedAt } from "./records.ts";
import { hasRelations, newAssociations, type Related, setRelations, unknownRelations } from "./relations.ts";

export const BATCH = { fetch: 100, write: 100 };

/** Its limit counts calls, not how many run at once: enough of them to use it up although each takes its time. */
export const AT_ONCE = { batches: 6, writes: 6 };

type Update = UpdateRequest["writes"][number];

export async function createRecords(client: HubSpotClient, request: CreateRequest): Promise<WriteResult[]> {
  const results = await created(client, request);
  return withLeft(results, request.writes, (write) => unknownRelations(request.entity, write));
}

async function created(client: HubSpotClient, request: CreateRequest): Promise<WriteResult[]> {
  const { entity, writes, externalIdField } = request;
  assertBatchSize(writes.length, BATCH.write, CRM);
  const create = creating(client, entity);
  if (externalIdField === undefined) return sendInParts(writes, create);
  const ours = ({ fields }: RecordWrite) => String(fields[externalIdField] ?? "");
  const marked = writes.filter((write) => ours(write) !== "");
  const bare = writes.filter((write) => ours(write) === "");
  const upserted = await sendRounds(inRounds(marked, ours), upserting(client, entity, externalIdField));
  const results = await withRelations(client, entity, marked, upserted);
  const rest = () => sendInParts(bare, create);
  return [...results, ...(results.length === 0 ? await rest() : await knowingSome(bare, create, rest))];
}

export async function updateRecords(client: HubSpotClient, { entity, writes }: UpdateRequest): Promise<WriteResult[]> {
  assertBatchSize(writes.length, BATCH.write, CRM);
  const changed = writes.filter((write) => Object.keys(toProperties(write)).length > 0);
  const rest = writes.filter((write) => !changed.includes(write)).map(({ key, id }) => written(key, id));
  const results = await sendRounds(
    inRounds(changed, ({ id }) => id),
    updating(client, entity),
  );
  const related = await withRelations(client, entity, writes, [...results, ...rest]);
  return withLeft(related, writes, (write) => unknownRelations(entity, write));
}

/** Archiving by the id of a record that was merged away would archive the survivor, so it is looked at first. */
export async function deleteRecords(client: HubSpotClient, { entity, ids }: DeleteRequest): Promise<WriteResult[]> {
  assertBatchSize(ids.length, BATCH.write, CRM);
  const wanted = [...new Set(ids)];
  const request: FetchRequest = { entity, ids: wanted, fields: [], relations: "as they come" };
  const found = await fetchRecords(client, request, new Set());
  const live = new Set(found.filter((record) => !record.deleted).map((record) => record.id));
  const gone = wanted.filter((id) => !live.has(id)).map((id) => written(id, id));
  const archived = await sendInParts([...live], {
    send: async (part) => {
      await call(() => client.batch.archive(OBJECTS[entity].name, { inputs: part.map((id) => ({ id })) }));
      return part.map((id) => written(id, id));
    },
    refused: (id, error) => failed(id, error, id),
    blamesRecords,
  });
  return [...gone, ...archived];
}

/** Every input has a trace id: without, one bad record would refuse the batch, and nothing told which. */
function creating(client: HubSpotClient, entity: EntityType): Sending<RecordWrite> {
  const refused = ({ key }: RecordWrite, error: WriteError) => refusedCreate(key, error);
  return {
    refused,
    blamesRecords,
    send: async (part) => {
      const inputs = part.map((write) => ({
        properties: toProperties(write),
        associations: newAssociations(entity, write),
        objectWriteTraceId: write.key,
      }));
      const answer = await call(() => client.batch.create(OBJECTS[entity].name, { inputs }));
      return readBatch<RecordWrite, WrittenObject>(part, answer, {
        namesOf: ({ key }) => [key],
        namesIn: ({ objectWriteTraceId }) => [objectWriteTraceId],
        done: ({ key }, object) => done(key, object, entity),
        refused,
      });
    },
  };
}

function upserting(client: HubSpotClient, entity: EntityType, idProperty: string): Sending<RecordWrite> {
  const ours = ({ fields }: RecordWrite) => String(fields[idProperty]);
  const refused = ({ key }: RecordWrite, error: WriteError) => refusedCreate(key, error);
  return {
    refused,
    blamesRecords,
    send: async (part) => {
      const inputs = part.map((write) => ({
        id: ours(write),
        idProperty,
        properties: toProperties(write),
        objectWriteTraceId: write.key,
      }));
      const answer = await call(() => client.batch.upsert(OBJECTS[entity].name, { inputs }));
      return readBatch<RecordWrite, WrittenObject>(part, answer, {
        namesOf: (write) => [write.key, ours(write)],
        namesIn: ({ objectWriteTraceId, properties }) => [objectWriteTraceId, properties[idProperty] ?? undefined],
        done: ({ key }, object) => done(key, object, entity),
        refused,
      });
    },
  };
}

function updating(client: HubSpotClient, entity: EntityType): Sending<Update> {
  const refused = ({ key, id }: Update, error: WriteError): WriteResult =>
    error.code === "OBJECT_NOT_FOUND" ? { key, outcome: "gone", id } : failed(key, error, id);
  return {
    refused,
    blamesRecords,
    send: async (part) => {
      const inputs = part.map((write) => ({
        id: write.id,
        properties: toProperties(write),
        objectWriteTraceId: write.key,
      }));
      const answer = await call(() => client.batch.update(OBJECTS[entity].name, { inputs }));
      return readBatch<Update, WrittenObject>(part, answer, {
        namesOf: ({ key, id }) => [key, id],
        namesIn: ({ objectWriteTraceId, id }) => [objectWriteTraceId, id],
        // Another id is the survivor of a merge.
        done: ({ key, id }, object) => (object.id === id ? done(key, object, entity) : { key, outcome: "gone", id }),
        refused,
      });
    },
  };
}

/** A search that lags behind shows the record as it was before: the time of the write tells the two apart. */
function done(key: string, object: WrittenObject, entity: EntityType): WriteResult {
  return { ...written(key, object.id), modifiedAt: modifiedAt(object, entity) };
}

function refusedCreate(key: string, error: WriteError): WriteResult {
  const id = existingId(error);
  return id === null ? failed(key, error) : { key, outcome: "exists", id };
}

/** The second half of a write that has relations. It may fail where the first one succeeded; then the write did. */
async function withRelations(
  client: HubSpotClient,
  entity: EntityType,
  writes: readonly RecordWrite[],
  results: readonly WriteResult[],
): Promise<WriteResult[]> {
  const ids = new Map(
    results.flatMap(({ key, outcome, id }) => (outcome === "written" && id ? [[key, id] as const] : [])),
  );
  const related = writes.flatMap((write) => {
    const id = ids.get(write.key);
    return id !== undefined && hasRelations(entity, write) ? [{ ...write, id }] : [];
  });
  if (related.length === 0) return [...results];
  const errors = new Map<string, WriteError>();
  for (const round of inRounds(related, ({ id }) => id)) {
    for (const [key, error] of await relationErrors(client, entity, round)) errors.set(key, error);
  }
  return results.map((result) => {
    const error = errors.get(result.key);
    return error === undefined ? result : failed(result.key, error, result.id);
  });
}

async function relationErrors(
  client: HubSpotClient,
  entity: EntityType,
  related: readonly Related[],
): Promise<Map<string, WriteError>> {
  try {
    return await setRelations(client, entity, related);
  } catch (error) {
    if (!(error instanceof CrmFailure)) throw error;
    return new Map(related.map(({ key }) => [key, forOneRecord(error.detail)]));
  }
}
