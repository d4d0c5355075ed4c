import { type Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { z } from "zod";
import type { Collection } from "../collection.ts";
import { type BatchError, HubSpotError, invalid, objectNotFound } from "../errors.ts";
import type { HubSpotEnv, Portal } from "../portal.ts";
import { type HubRecord, iso, namesToShow, show } from "../record.ts";
import { checkedProperties } from "../validate.ts";
import { propertiesShape, readBody } from "./body.ts";
import { associationShape, createRecord, findRecord, whole } from "./objects.ts";

const MOST = 100;
const id = z.coerce.string();
const traceId = z.string().optional();
const inputs = <S extends z.ZodType>(shape: S) => z.array(shape).min(1).max(MOST);
const idList = inputs(z.object({ id }));

const readShape = z.object({
  inputs: idList,
  properties: z.array(z.string()).default([]),
  idProperty: z.string().optional(),
});
const createShape = z.object({
  inputs: inputs(
    z.object({
      properties: propertiesShape,
      objectWriteTraceId: traceId,
      associations: associationShape.optional(),
    }),
  ),
});
const updateInput = z.object({
  id,
  idProperty: z.string().optional(),
  properties: propertiesShape,
  objectWriteTraceId: traceId,
});
const updateShape = z.object({ inputs: inputs(updateInput) });
type WriteInput = { id?: string; objectWriteTraceId?: string | undefined };

type HubContext = Context<HubSpotEnv>;
type Handler = (portal: Portal, context: HubContext, collection: Collection) => Promise<Response>;

const HANDLERS: Record<string, Handler> = { read, create, update, upsert, archive };

export function batchRoutes(portal: Portal): Hono<HubSpotEnv> {
  const routes = new Hono<HubSpotEnv>();
  for (const [name, handle] of Object.entries(HANDLERS)) {
    routes.post(`/:object/batch/${name}`, (context) =>
      handle(portal, context, portal.store.collection(context.req.param("object") ?? "")),
    );
  }
  return routes;
}

async function read(portal: Portal, context: HubContext, collection: Collection): Promise<Response> {
  const body = await readBody(context, readShape);
  const archived = context.req.query("archived") === "true";
  const missing: string[] = [];
  const found: HubRecord[] = [];
  for (const input of body.inputs) {
    const record = findRecord(collection, input.id, body.idProperty);
    if (record === undefined || (record.archivedAt !== null) !== archived) missing.push(input.id);
    else found.push(record);
  }
  const names = namesToShow(collection.type, body.properties);
  const results = found.map((record) => show(collection.type, record, names));
  return answer(portal, context, results, missing.length === 0 ? [] : [missingError(collection, missing)]);
}

/** Without a trace id on every input, one bad input refuses the whole batch before anything is written. */
async function create(portal: Portal, context: HubContext, collection: Collection): Promise<Response> {
  const body = await readBody(context, createShape);
  const traces = body.inputs.map((input) => input.objectWriteTraceId);
  const traced = traces.every((trace) => trace !== undefined) && new Set(traces).size === traces.length;
  if (!traced) checkAll(portal, collection, body.inputs);
  const { results, errors } = eachInput(body.inputs, (input) =>
    whole(collection, createRecord(portal, collection, input.properties, input.associations ?? [])),
  );
  return answer(portal, context, results, errors, 201);
}

function checkAll(
  portal: Portal,
  collection: Collection,
  given: readonly { properties: Record<string, unknown> }[],
): void {
  const taken = new Set<string>();
  for (const { properties } of given) {
    const values = checkedProperties(collection.type, properties);
    portal.store.refuseTaken(collection, values, null);
    for (const name of collection.uniqueProperties) {
      const key = `${name}:${(values[name] ?? "").toLowerCase()}`;
      if (!key.endsWith(":") && taken.has(key)) throw invalid(`Duplicate ${name} found in batch input`);
      taken.add(key);
    }
  }
}

async function update(portal: Portal, context: HubContext, collection: Collection): Promise<Response> {
  const body = await readBody(context, updateShape);
  refuseDoubles(body.inputs);
  const { results, errors } = eachInput(body.inputs, (input) => {
    const record = findRecord(collection, input.id, input.idProperty);
    if (record === undefined || record.archivedAt !== null) throw objectNotFound();
    portal.store.update(collection, record, checkedProperties(collection.type, input.properties));
    return whole(collection, record);
  });
  return answer(portal, context, results, errors);
}

async function upsert(portal: Portal, context: HubContext, collection: Collection): Promise<Response> {
  const body = await readBody(context, updateShape);
  refuseDoubles(body.inputs);
  const { results, errors } = eachInput(body.inputs, (input) => {
    const record = findRecord(collection, input.id, input.idProperty);
    const key = input.idProperty === undefined ? {} : { [input.idProperty]: input.id };
    const values = checkedProperties(collection.type, { ...key, ...input.properties });
    if (record !== undefined && record.archivedAt === null) portal.store.update(collection, record, values);
    const written = record ?? (input.idProperty === undefined ? undefined : portal.store.create(collection, values));
    if (written === undefined || written.archivedAt !== null) throw objectNotFound();
    return { ...whole(collection, written), new: record === undefined };
  });
  return answer(portal, context, results, errors);
}

async function archive(portal: Portal, context: HubContext, collection: Collection): Promise<Response> {
  const body = await readBody(context, z.object({ inputs: idList }));
  for (const input of body.inputs) {
    const record = collection.get(input.id);
    if (record !== undefined && record.archivedAt === null) portal.store.archive(collection, record);
  }
  return context.body(null, 204);
}

/** Tries the inputs one by one; what fails becomes an error in the answer. */
function eachInput<I extends WriteInput, R extends object>(
  inputsToTry: readonly I[],
  write: (input: I) => R,
): { results: object[]; errors: BatchError[] } {
  const results: object[] = [];
  const errors: BatchError[] = [];
  for (const input of inputsToTry) {
    const trace = input.objectWriteTraceId;
    try {
      const result = write(input);
      results.push(trace === undefined ? result : { ...result, objectWriteTraceId: trace });
    } catch (error) {
      if (!(error instanceof HubSpotError)) throw error;
      errors.push(error.batchError(contextOf(input)));
    }
  }
  // HubSpot promises no order; one that is never the caller's shows who relies on it.
  return { results: results.reverse(), errors };
}

function contextOf({ id: inputId, objectWriteTraceId }: WriteInput): Record<string, string[]> {
  return {
    ...(inputId === undefined ? {} : { ids: [inputId] }),
    ...(objectWriteTraceId === undefined ? {} : { objectWriteTraceId: [objectWriteTraceId] }),
  };
}

function refuseDoubles(given: readonly { id: string }[]): void {
  const ids = given.map((input) => input.id.toLowerCase());
  if (new Set(ids).size < ids.length) throw invalid("Duplicate IDs found in batch input: each id may appear once");
}

function missingError(collection: Collection, ids: string[]): BatchError {
  const what = collection.type.singular.toUpperCase();
  const message = `Could not get some ${what} objects, they may be deleted or not exist. Check that ids are valid.`;
  return { status: "error", category: "OBJECT_NOT_FOUND", message, context: { ids }, errors: [], links: {} };
}

/** 207 tells that some inputs failed. */
export function answer(
  portal: Portal,
  context: HubContext,
  results: readonly object[],
  errors: readonly object[],
  status: ContentfulStatusCode = 200,
): Response {
  const at = iso(portal.clock.now());
  const body = { status: "COMPLETE", results, startedAt: at, completedAt: at };
  if (errors.length === 0) return context.json(body, status);
  return context.json({ ...body, numErrors: errors.length, errors }, 207);
}
