import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Collection } from "../collection.ts";
import { invalid, objectNotFound } from "../errors.ts";
import type { HubSpotEnv, Portal } from "../portal.ts";
import { type HubRecord, namesToShow, show } from "../record.ts";
import { parseSearch } from "../search/request.ts";
import { checkedProperties } from "../validate.ts";
import { propertiesShape, readBody } from "./body.ts";
import { listPage, present, showingOf } from "./list.ts";

type HubContext = Context<HubSpotEnv>;

export const associationShape = z.array(
  z.object({
    to: z.object({ id: z.coerce.string() }),
    types: z.array(z.object({ associationCategory: z.string(), associationTypeId: z.number() })),
  }),
);
const createShape = z.object({ properties: propertiesShape, associations: associationShape.optional() });
const updateShape = z.object({ properties: propertiesShape });
const mergeShape = z.object({ primaryObjectId: z.coerce.string(), objectIdToMerge: z.coerce.string() });

export function objectRoutes(portal: Portal): Hono<HubSpotEnv> {
  const routes = new Hono<HubSpotEnv>();
  const collection = (context: HubContext) => portal.store.collection(context.req.param("object") ?? "");
  routes.get("/:object", (context) => listPage(portal, context, collection(context)));
  routes.post("/:object", (context) => create(portal, context, collection(context)));
  routes.post("/:object/search", (context) => search(portal, context, collection(context)));
  routes.post("/:object/merge", (context) => merge(portal, context, collection(context)));
  routes.get("/:object/:id", (context) => read(portal, context, collection(context)));
  routes.patch("/:object/:id", (context) => update(portal, context, collection(context)));
  routes.delete("/:object/:id", (context) => archive(portal, context, collection(context)));
  return routes;
}

/** By record id, or by a unique property when the call names one. */
export function findRecord(collection: Collection, id: string, idProperty: string | undefined): HubRecord | undefined {
  if (idProperty === undefined || idProperty === "hs_object_id") return collection.get(id);
  if (!collection.uniqueProperties.includes(idProperty)) {
    throw invalid(`The property ${idProperty} is not a unique identifier property of ${collection.type.name}`);
  }
  return collection.find(idProperty, id);
}

function read(portal: Portal, context: HubContext, collection: Collection): Response {
  const showing = showingOf(context);
  const record = findRecord(collection, context.req.param("id") ?? "", context.req.query("idProperty"));
  if (record === undefined || (record.archivedAt !== null) !== showing.archived) throw objectNotFound();
  return context.json(present(portal, collection, record, showing));
}

async function create(portal: Portal, context: HubContext, collection: Collection): Promise<Response> {
  const { properties, associations = [] } = await readBody(context, createShape);
  const record = createRecord(portal, collection, properties, associations);
  return context.json(whole(collection, record), 201);
}

export function createRecord(
  portal: Portal,
  collection: Collection,
  properties: Record<string, unknown>,
  associations: z.infer<typeof associationShape>,
): HubRecord {
  const ties = associations.map(({ to, types }) => {
    const typeIds = types.map((type) => type.associationTypeId);
    const target = targetOf(portal, typeIds);
    return { target, id: portal.store.live(target, to.id).id, typeIds };
  });
  const record = portal.store.create(collection, checkedProperties(collection.type, properties));
  for (const { target, id, typeIds } of ties) portal.store.tie(collection, record.id, target, id, typeIds);
  return record;
}

/** The target object of a create's association follows from its type ids. */
const TARGET_BY_TYPE: Record<number, string> = {
  279: "companies",
  1: "companies",
  341: "companies",
  5: "companies",
  13: "companies",
  14: "companies",
  450: "companies",
  280: "contacts",
  2: "contacts",
  3: "contacts",
  342: "deals",
  6: "deals",
  4: "deals",
};

function targetOf(portal: Portal, typeIds: readonly number[]): Collection {
  const name = TARGET_BY_TYPE[typeIds[0] ?? 0];
  if (name === undefined) throw invalid(`Unknown association type ${typeIds[0] ?? "(none)"}`);
  return portal.store.collection(name);
}

async function update(portal: Portal, context: HubContext, collection: Collection): Promise<Response> {
  const { properties } = await readBody(context, updateShape);
  const record = findRecord(collection, context.req.param("id") ?? "", context.req.query("idProperty"));
  if (record === undefined || record.archivedAt !== null) throw objectNotFound();
  portal.store.update(collection, record, checkedProperties(collection.type, properties));
  return context.json(whole(collection, record));
}

/** Archiving what is archived, or was never there, is no error. */
function archive(portal: Portal, context: HubContext, collection: Collection): Response {
  const record = collection.get(context.req.param("id") ?? "");
  if (record !== undefined && record.archivedAt === null) portal.store.archive(collection, record);
  return context.body(null, 204);
}

async function merge(portal: Portal, context: HubContext, collection: Collection): Promise<Response> {
  const { primaryObjectId, objectIdToMerge } = await readBody(context, mergeShape);
  const winner = portal.store.live(collection, primaryObjectId);
  const loser = portal.store.live(collection, objectIdToMerge);
  if (winner === loser) throw invalid("An object cannot be merged with itself");
  return context.json(whole(collection, portal.store.merge(collection, winner, loser)));
}

async function search(portal: Portal, context: HubContext, collection: Collection): Promise<Response> {
  const request = parseSearch(await readBody(context, z.unknown()));
  const searcher = portal.searchers.get(collection.type.name);
  if (searcher === undefined) throw objectNotFound();
  return context.json(searcher.page(request));
}

/** Write answers show the defaults and all that is set. */
export function whole(collection: Collection, record: HubRecord) {
  const { type } = collection;
  return show(type, record, [...new Set([...namesToShow(type, []), ...Object.keys(record.properties)])]);
}
