import type { Context } from "hono";
import { listParameter } from "../../shared/text.ts";
import { associationTypes } from "../associations.ts";
import type { Collection } from "../collection.ts";
import { invalid } from "../errors.ts";
import type { HubSpotEnv, Portal } from "../portal.ts";
import { type HubRecord, namesToShow, show, showHistory } from "../record.ts";
import type { ObjectName } from "../schema/objects.ts";

const MOST = 100;
const MOST_WITH_HISTORY = 50;

export interface Showing {
  properties: string[];
  history: string[];
  associations: string[];
  archived: boolean;
}

/** Lists may be repeated or comma-separated. */
export function showingOf(context: Context<HubSpotEnv>): Showing {
  const list = (name: string) => listParameter(context.req.queries(name));
  return {
    properties: list("properties"),
    history: list("propertiesWithHistory"),
    associations: list("associations"),
    archived: context.req.query("archived") === "true",
  };
}

export function listPage(portal: Portal, context: Context<HubSpotEnv>, collection: Collection): Response {
  const showing = showingOf(context);
  const most = showing.history.length > 0 ? MOST_WITH_HISTORY : MOST;
  const limit = Number(context.req.query("limit") ?? 10);
  if (!Number.isInteger(limit) || limit < 1 || limit > most) throw invalid(`limit must be between 1 and ${most}`);
  const after = Number(context.req.query("after") ?? 0);
  if (!Number.isInteger(after)) throw invalid("after is not a cursor of this list");
  const index = showing.archived ? collection.archived : collection.live;
  const from = index.lowerBound((record) => record.number >= after);
  const results = index.all.slice(from, from + limit).map((record) => present(portal, collection, record, showing));
  const next = index.all[from + limit];
  return context.json(next === undefined ? { results } : { results, paging: { next: nextLink(context, next) } });
}

/** The cursor names the first record of the next page, so records that come or go meanwhile shift nothing. */
function nextLink(context: Context<HubSpotEnv>, next: HubRecord): { after: string; link: string } {
  const url = new URL(context.req.url);
  url.searchParams.set("after", next.id);
  return { after: next.id, link: url.toString() };
}

export function present(portal: Portal, collection: Collection, record: HubRecord, showing: Showing) {
  const { type } = collection;
  const { properties, history } = showing;
  const shown = show(type, record, namesToShow(type, [...properties, ...history]));
  const linked = showing.associations.length === 0 ? undefined : associationsOf(portal, type.name, record.id, showing);
  return {
    ...shown,
    ...(history.length === 0 ? {} : { propertiesWithHistory: showHistory(type, record, history) }),
    ...(linked === undefined ? {} : { associations: linked }),
  };
}

/** Targets that have links only; a record without any gets no key at all. */
function associationsOf(portal: Portal, from: ObjectName, id: string, showing: Showing) {
  const entries = showing.associations.flatMap((name) => {
    const to = portal.store.collection(name).type.name;
    const types = associationTypes(from, to);
    const results = portal.store.associations
      .of(from, id, to)
      .flatMap((link) =>
        types.filter((type) => link.typeIds.includes(type.typeId)).map((type) => ({ id: link.toId, type: type.name })),
      );
    return results.length === 0 ? [] : [[to, { results }] as const];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
