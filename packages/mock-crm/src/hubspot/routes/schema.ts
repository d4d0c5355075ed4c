import { type Context, Hono } from "hono";
import { z } from "zod";
import { objectNotFound } from "../errors.ts";
import type { HubSpotEnv, Portal } from "../portal.ts";
import { describePipeline } from "../schema/pipelines.ts";
import { describeProperty, property } from "../schema/property.ts";
import type { HubOwner } from "../store.ts";
import { readBody } from "./body.ts";

type HubContext = Context<HubSpotEnv>;

const MADE_AT = "2024-01-01T00:00:00.000Z";

const propertyShape = z.object({
  name: z.string().regex(/^[a-z][a-z0-9_]*$/),
  label: z.string().min(1),
  groupName: z.string().min(1),
  type: z.enum(["string", "number", "date", "datetime", "enumeration", "bool", "phone_number"]),
  fieldType: z.string(),
  hasUniqueValue: z.boolean().default(false),
  description: z.string().default(""),
  options: z.array(z.object({ label: z.string(), value: z.string() })).default([]),
});

export function schemaRoutes(portal: Portal): Hono<HubSpotEnv> {
  const routes = new Hono<HubSpotEnv>();
  const types = (context: HubContext) => portal.store.collection(context.req.param("object") ?? "").type.properties;
  routes.get("/properties/:object", (context) => {
    const archived = context.req.query("archived") === "true";
    const shown = [...types(context).values()].filter((definition) => definition.archived === archived);
    return context.json({ results: shown.map((definition) => describeProperty(definition, MADE_AT)) });
  });
  routes.post("/properties/:object", (context) => createProperty(portal, context));
  routes.get("/properties/:object/:name", (context) => {
    const definition = types(context).get(context.req.param("name"));
    if (definition === undefined) throw objectNotFound();
    return context.json(describeProperty(definition, MADE_AT));
  });
  routes.get("/pipelines/:object", (context) => {
    const deals = portal.store.collection(context.req.param("object")).type.name === "deals";
    return context.json({ results: deals ? [describePipeline(MADE_AT)] : [] });
  });
  for (const path of ["/owners", "/owners/"]) routes.get(path, (context) => owners(portal, context));
  routes.get("/owners/:id", (context) => {
    const owner = portal.store.owners.find((candidate) => candidate.id === context.req.param("id"));
    if (owner === undefined) throw objectNotFound();
    return context.json(describeOwner(owner));
  });
  return routes;
}

async function createProperty(portal: Portal, context: HubContext): Promise<Response> {
  const { name, label, type, ...more } = await readBody(context, propertyShape);
  const definition = property(name, label, type, { ...more, hubspotDefined: false });
  portal.store.addProperty(portal.store.collection(context.req.param("object") ?? ""), definition);
  return context.json(describeProperty(definition, new Date(portal.clock.now()).toISOString()), 201);
}

function owners(portal: Portal, context: HubContext): Response {
  const { email, limit = "100", after = "0", archived } = context.req.query();
  const known = archived === "true" ? [] : portal.store.owners;
  const matching = known.filter((owner) => email === undefined || owner.email === email.toLowerCase());
  const end = Number(after) + Number(limit);
  const results = matching.slice(Number(after), end).map(describeOwner);
  return context.json(end < matching.length ? { results, paging: { next: { after: String(end) } } } : { results });
}

function describeOwner(owner: HubOwner) {
  return {
    ...owner,
    type: "PERSON",
    userIdIncludingInactive: owner.userId,
    teams: [],
    createdAt: MADE_AT,
    updatedAt: MADE_AT,
    archived: false,
  };
}
