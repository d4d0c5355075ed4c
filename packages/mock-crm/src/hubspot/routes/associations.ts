import { type Context, Hono } from "hono";
import { z } from "zod";
import { associationTypes, type Link } from "../associations.ts";
import type { Collection } from "../collection.ts";
import type { HubSpotEnv, Portal } from "../portal.ts";
import type { ObjectName } from "../schema/objects.ts";
import { answer } from "./batch.ts";
import { readBody } from "./body.ts";

type HubContext = Context<HubSpotEnv>;

const specShape = z.array(z.object({ associationCategory: z.string(), associationTypeId: z.number() })).min(1);
const reference = z.object({ id: z.coerce.string() });
const readShape = z.object({ inputs: z.array(reference).min(1).max(1000) });
const pairShape = z.object({
  inputs: z
    .array(z.object({ from: reference, to: reference, types: specShape.optional() }))
    .min(1)
    .max(2000),
});
const archiveShape = z.object({
  inputs: z
    .array(z.object({ from: reference, to: z.array(reference) }))
    .min(1)
    .max(2000),
});

export function associationRoutes(portal: Portal): Hono<HubSpotEnv> {
  const routes = new Hono<HubSpotEnv>();
  const { store } = portal;
  const side = (context: HubContext, name: "from" | "to") => store.collection(context.req.param(name) ?? "");
  const one = "/objects/:from/:id/associations";
  routes.put(`${one}/default/:to/:toId`, (context) => {
    const { id, toId } = context.req.param();
    store.tie(side(context, "from"), id, side(context, "to"), toId);
    return answer(portal, context, [], []);
  });
  routes.get(`${one}/:to`, (context) => {
    const [from, to] = [side(context, "from"), side(context, "to")];
    const record = store.live(from, context.req.param("id"));
    return context.json({ results: linksOf(portal, from, record.id, to) });
  });
  routes.put(`${one}/:to/:toId`, (context) => tieOne(portal, context, side(context, "from"), side(context, "to")));
  routes.delete(`${one}/:to/:toId`, (context) => {
    const { id, toId } = context.req.param();
    store.untie(side(context, "from"), id, side(context, "to"), toId);
    return context.body(null, 204);
  });
  const batch = "/associations/:from/:to/batch";
  routes.post(`${batch}/read`, (context) => readBatch(portal, context, side(context, "from"), side(context, "to")));
  for (const [path, status] of [
    ["create", 201],
    ["associate/default", 200],
  ] as const) {
    routes.post(`${batch}/${path}`, async (context) => {
      const results = await tieBatch(portal, context, side(context, "from"), side(context, "to"));
      return answer(portal, context, results, [], status);
    });
  }
  routes.post(`${batch}/archive`, (context) => untieBatch(portal, context, side(context, "from"), side(context, "to")));
  return routes;
}

function linksOf(portal: Portal, from: Collection, id: string, to: Collection) {
  return portal.store.associations.of(from.type.name, id, to.type.name).map((link) => ({
    toObjectId: link.toId,
    associationTypes: shownTypes(from.type.name, to.type.name, link),
  }));
}

function shownTypes(from: ObjectName, to: ObjectName, link: Link) {
  return associationTypes(from, to)
    .filter((type) => link.typeIds.includes(type.typeId))
    .map(({ typeId, label }) => ({ category: "HUBSPOT_DEFINED", typeId, label }));
}

async function tieOne(portal: Portal, context: HubContext, from: Collection, to: Collection): Promise<Response> {
  const types = await readBody(context, specShape);
  const { id = "", toId = "" } = context.req.param() as { id?: string; toId?: string };
  portal.store.tie(
    from,
    id,
    to,
    toId,
    types.map((type) => type.associationTypeId),
  );
  return context.json(tied(from, id, to, toId), 201);
}

/** A record without a link is an error in the 207 answer, not an empty result. */
async function readBatch(portal: Portal, context: HubContext, from: Collection, to: Collection): Promise<Response> {
  const { inputs } = await readBody(context, readShape);
  const read = inputs.map(({ id }) => ({ id, to: linksOf(portal, from, id, to) }));
  const results = read.filter((entry) => entry.to.length > 0).map(({ id, to: links }) => ({ from: { id }, to: links }));
  const errors = read
    .filter((entry) => entry.to.length === 0)
    .map(({ id }) => ({
      status: "error",
      category: "OBJECT_NOT_FOUND",
      subCategory: "crm.associations.NO_ASSOCIATIONS_FOUND",
      message: `No ${to.type.singular} is associated with ${from.type.singular} ${id}.`,
      context: { fromObjectId: [id], fromObjectType: [from.type.typeId], toObjectType: [to.type.typeId] },
      errors: [],
      links: {},
    }));
  return answer(portal, context, results, errors);
}

async function tieBatch(portal: Portal, context: HubContext, from: Collection, to: Collection) {
  const { inputs } = await readBody(context, pairShape);
  return inputs.map((input) => {
    portal.store.tie(
      from,
      input.from.id,
      to,
      input.to.id,
      input.types?.map((type) => type.associationTypeId),
    );
    return tied(from, input.from.id, to, input.to.id);
  });
}

function tied(from: Collection, fromObjectId: string, to: Collection, toObjectId: string) {
  return { fromObjectTypeId: from.type.typeId, fromObjectId, toObjectTypeId: to.type.typeId, toObjectId, labels: [] };
}

async function untieBatch(portal: Portal, context: HubContext, from: Collection, to: Collection): Promise<Response> {
  const { inputs } = await readBody(context, archiveShape);
  for (const input of inputs) for (const target of input.to) portal.store.untie(from, input.from.id, to, target.id);
  return context.body(null, 204);
}
