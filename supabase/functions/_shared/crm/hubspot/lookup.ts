import type { FilterOperatorEnum } from "@hubspot/api-client/lib/codegen/crm/objects/models/Filter.js";
import type { SimplePublicObject } from "@hubspot/api-client/lib/codegen/crm/objects/models/SimplePublicObject.js";
import type { EntityType, LookupCandidate, LookupRequest } from "../contract.ts";
import { malformed } from "../errors.ts";
import { assign, earliest, type FoundRecord } from "../lookup.ts";
import { call, type HubSpotClient } from "./client.ts";
import { CRM } from "./errors.ts";
import { OBJECTS } from "./objects.ts";

/** Properties that a record is recognised by, besides our id. Contacts have no name of their own to search for. */
const NAMES: Record<EntityType, readonly string[]> = {
  accounts: ["name", "domain"],
  contacts: ["firstname", "lastname", "email"],
  opportunities: ["dealname"],
};

const CHUNK = 25;
const PAGE = 200;

/** Unique properties are read at once; only what has none needs a search, which is late by some seconds. */
export async function lookUp(client: HubSpotClient, request: LookupRequest): Promise<Map<string, string>> {
  const { entity, externalIdField } = request;
  const marked = request.candidates.filter(
    ({ externalId }) => externalIdField !== undefined && externalId !== undefined,
  );
  const others = request.candidates.filter((candidate) => !marked.includes(candidate));
  const mailed = others.filter(({ email }) => entity === "contacts" && email !== undefined);
  const named = others.filter((candidate) => !mailed.includes(candidate) && candidate.name !== undefined);
  const read = (property: string, values: string[]) => readBy(client, request, property, values);
  return new Map([
    ...assign(
      marked,
      await read(
        externalIdField ?? "",
        marked.flatMap(({ externalId }) => externalId ?? []),
      ),
    ),
    ...assign(
      mailed,
      await read(
        "email",
        mailed.flatMap(({ email }) => email ?? []),
      ),
    ),
    ...assign(named, await searchByName(client, request, named)),
  ]);
}

async function readBy(
  client: HubSpotClient,
  request: LookupRequest,
  idProperty: string,
  values: readonly string[],
): Promise<FoundRecord[]> {
  const found: FoundRecord[] = [];
  for (const inputs of chunks([...new Set(values)].map((id) => ({ id })))) {
    const properties = [...propertiesOf(request), idProperty];
    const input = { inputs, idProperty, properties, propertiesWithHistory: [] };
    const answer = await call(() => client.batch.read(OBJECTS[request.entity].name, input, false));
    found.push(...results(answer).map((object) => toFound(object, request)));
  }
  return found;
}

async function searchByName(
  client: HubSpotClient,
  request: LookupRequest,
  candidates: readonly LookupCandidate[],
): Promise<FoundRecord[]> {
  const found: FoundRecord[] = [];
  for (const chunk of chunks(candidates)) {
    let after: string | undefined;
    do {
      const answer = await call(() =>
        client.search.doSearch(OBJECTS[request.entity].name, {
          filterGroups: [{ filters: [created(chunk), nameFilter(request.entity, chunk)] }],
          properties: propertiesOf(request),
          limit: PAGE,
          ...(after === undefined ? {} : { after }),
        }),
      );
      found.push(...results(answer).map((object) => toFound(object, request)));
      after = answer.paging?.next?.after;
    } while (after !== undefined);
  }
  return found;
}

function created(candidates: readonly LookupCandidate[]) {
  const value = String(Date.parse(earliest(candidates)));
  return { propertyName: "createdate", operator: "GTE" as FilterOperatorEnum, value };
}

/** Compared in lower case. Which words of a person's name are the last name, nobody knows: all endings are asked for. */
function nameFilter(entity: EntityType, candidates: readonly LookupCandidate[]) {
  const names = candidates.map(({ name = "" }) => name.trim().toLowerCase());
  const [propertyName = ""] = entity === "contacts" ? ["lastname"] : NAMES[entity];
  const values = entity === "contacts" ? names.flatMap(endings) : names;
  return { propertyName, operator: "IN" as FilterOperatorEnum, values: [...new Set(values)] };
}

function endings(name: string): string[] {
  const words = name.split(/\s+/);
  return words.map((_, at) => words.slice(at).join(" "));
}

function propertiesOf({ entity, externalIdField }: LookupRequest): string[] {
  return ["createdate", ...NAMES[entity], ...(externalIdField === undefined ? [] : [externalIdField])];
}

function toFound({ id, properties, createdAt }: SimplePublicObject, request: LookupRequest): FoundRecord {
  const { externalIdField } = request;
  const name = [properties.firstname, properties.lastname].filter(Boolean).join(" ");
  return {
    id,
    createdAt: createdAt.toISOString(),
    email: properties.email,
    website: properties.domain,
    name: properties.name ?? properties.dealname ?? name,
    ...(externalIdField === undefined ? {} : { externalId: properties[externalIdField] ?? null }),
  };
}

function results(answer: { results?: SimplePublicObject[] }): SimplePublicObject[] {
  if (!Array.isArray(answer.results)) throw malformed(CRM, "a list of records without results");
  return answer.results;
}

function chunks<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / CHUNK) }, (_, at) => items.slice(at * CHUNK, (at + 1) * CHUNK));
}
