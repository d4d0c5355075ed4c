import { beforeEach, describe, expect, it } from "vitest";
import type { CrmProvider, CrmRecord, EntityType, HighWater, PageCursor } from "../contract.ts";
import { archiveIsDue } from "./cursor.ts";
import { createHubSpot } from "./provider.ts";

const session = { accessToken: "token", instanceUrl: "https://api.hubapi.com", externalAccountId: "7" };
const NOW = "2026-11-21T12:00:00.000Z";
const SINCE: HighWater = { modifiedAt: "2026-11-21T11:00:00.000Z", id: "1" };

/** Companies of a contact, more than HubSpot answers at once: the primary one comes last. */
const CROWDED = { id: "7", companies: 250, page: 100 };

interface Stored {
  id: string;
  modified: string;
  archivedAt?: string;
  properties?: Record<string, string | null>;
}

let store: Stored[];
let searches: { filters: { propertyName: string; operator: string; value: string }[]; after?: string }[];
let onSearch: (() => void) | undefined;
let archiveCalls: number;
let clock: string;
let provider: CrmProvider;

const toObject = ({ id, modified, archivedAt, properties }: Stored) => ({
  id,
  properties: { hs_object_id: id, lastmodifieddate: modified, hs_lastmodifieddate: modified, ...properties },
  createdAt: modified,
  updatedAt: modified,
  archived: archivedAt !== undefined,
  ...(id === CROWDED.id ? { associations: { companies: listedCompanies(CROWDED.page) } } : {}),
  ...(archivedAt ? { archivedAt } : {}),
});

const companyAt = (place: number) => ({ id: String(1000 + place), isPrimary: place === CROWDED.companies });

function listedCompanies(count: number) {
  const results = Array.from({ length: count }, (_, i) => ({
    id: companyAt(i + 1).id,
    type: "contact_to_company_unlabeled",
  }));
  return { results, paging: { next: { after: String(count) } } };
}

/** A page of the associations of the crowded contact. */
function crowdedPage(after: number) {
  const end = Math.min(after + CROWDED.page, CROWDED.companies);
  const to = Array.from({ length: end - after }, (_, i) => {
    const { id, isPrimary } = companyAt(after + i + 1);
    const typeIds = isPrimary ? [1, 279] : [279];
    const associationTypes = typeIds.map((typeId) => ({ category: "HUBSPOT_DEFINED", typeId }));
    return { toObjectId: Number(id), associationTypes };
  });
  const paging = end < CROWDED.companies ? { paging: { next: { after: String(end) } } } : {};
  return { from: { id: CROWDED.id }, to, ...paging };
}

const compare: Record<string, (a: number, b: number) => boolean> = {
  GT: (a, b) => a > b,
  GTE: (a, b) => a >= b,
  LTE: (a, b) => a <= b,
};

/** As HubSpot does it: filter, sort by one property, the first `limit`. Ties come in no order that can be relied on. */
function search(body: {
  filterGroups: { filters: { propertyName: string; operator: string; value: string }[] }[];
  sorts?: string[];
  limit: number;
}) {
  const filters = body.filterGroups[0]?.filters ?? [];
  searches.push({ filters });
  onSearch?.();
  const number = (item: Stored, name: string) =>
    name === "hs_object_id" ? Number(item.id) : Date.parse(item.modified);
  const matching = store
    .filter((item) => item.archivedAt === undefined)
    .filter((item) => filters.every((f) => compare[f.operator]?.(number(item, f.propertyName), Number(f.value))))
    .sort(
      (a, b) =>
        number(a, body.sorts?.[0] ?? "hs_object_id") - number(b, body.sorts?.[0] ?? "hs_object_id") ||
        Number(b.id) - Number(a.id),
    );
  return { total: matching.length, results: matching.slice(0, body.limit).map(toObject) };
}

function list(url: URL) {
  const archived = url.searchParams.get("archived") === "true";
  if (archived) archiveCalls += 1;
  const after = Number(url.searchParams.get("after") ?? 0);
  const limit = Number(url.searchParams.get("limit"));
  const matching = store.filter((item) => (item.archivedAt !== undefined) === archived && Number(item.id) > after);
  const results = matching.sort((a, b) => Number(a.id) - Number(b.id)).slice(0, limit);
  const more = matching.length > results.length ? { paging: { next: { after: results.at(-1)?.id } } } : {};
  return { results: results.map(toObject), ...more };
}

async function readAll(entity: EntityType, since: HighWater | null, pageSize?: number) {
  const records: CrmRecord[] = [];
  let cursor: PageCursor | null = null;
  let highWater: HighWater | null = null;
  do {
    // A checkpoint keeps the cursor as JSON.
    const kept = JSON.parse(JSON.stringify(cursor)) as PageCursor | null;
    const page = await provider.readPage(session, { entity, fields: ["email"], cursor: kept, since, pageSize });
    records.push(...page.records);
    cursor = page.next;
    highWater = page.highWater;
  } while (cursor !== null);
  return { records, highWater, ids: records.map((record) => record.id) };
}

beforeEach(() => {
  store = [];
  searches = [];
  onSearch = undefined;
  archiveCalls = 0;
  clock = NOW;
  const names = [
    "email",
    "lastmodifieddate",
    "hs_lastmodifieddate",
    "hs_object_id",
    "hubspot_owner_id",
    "hs_merged_object_ids",
    "hs_calculated_merged_vids",
  ];
  provider = createHubSpot({
    env: { HUBSPOT_CLIENT_ID: "app" },
    now: () => new Date(clock),
    sleep: async () => {},
    fetch: async (input, init) => {
      const url = new URL(String(input));
      if (url.pathname.startsWith("/crm/v3/properties/")) {
        return Response.json({
          results: names.map((name) => ({ name, label: name, type: "string", fieldType: "text", options: [] })),
        });
      }
      if (url.pathname.endsWith("/search")) return Response.json(search(JSON.parse(String(init?.body))));
      if (url.pathname.includes("/associations/")) {
        const { inputs } = JSON.parse(String(init?.body)) as { inputs: { id: string; after?: string }[] };
        const crowded = inputs
          .filter(({ id }) => id === CROWDED.id)
          .map(({ after }) => crowdedPage(Number(after ?? 0)));
        if (crowded.length > 0) {
          return Response.json({ status: "COMPLETE", results: crowded, startedAt: NOW, completedAt: NOW });
        }
        const results = inputs.slice(1).map(({ id }) => ({
          from: { id },
          to: [
            { toObjectId: 900, associationTypes: [{ category: "HUBSPOT_DEFINED", typeId: 279 }] },
            {
              toObjectId: 901,
              associationTypes: [
                { category: "HUBSPOT_DEFINED", typeId: 1 },
                { category: "HUBSPOT_DEFINED", typeId: 279 },
              ],
            },
          ],
        }));
        const errors = inputs.slice(0, 1).map(() => ({
          status: "error",
          category: "OBJECT_NOT_FOUND",
          subCategory: "crm.associations.NO_ASSOCIATIONS_FOUND",
          message: "none",
        }));
        return Response.json(
          { status: "COMPLETE", results, errors, numErrors: errors.length, startedAt: NOW, completedAt: NOW },
          { status: 207 },
        );
      }
      return Response.json(list(url));
    },
  });
});

const at = (minute: number, ms = 0) =>
  new Date(Date.parse("2026-11-21T11:00:00.000Z") + minute * 60_000 + ms).toISOString();
const many = (count: number, modified: (i: number) => string): Stored[] =>
  Array.from({ length: count }, (_, i) => ({ id: String(i + 1), modified: modified(i) }));

describe("the first pull from HubSpot", () => {
  it("pages through the list and vouches only for the time before it began", async () => {
    store = many(250, () => "2026-11-20T00:00:00.000Z");
    store.push({ id: "999", modified: "2026-11-21T12:00:05.000Z" });
    const { ids, highWater } = await readAll("contacts", null);
    expect(new Set(ids).size).toBe(251);
    expect(highWater).toEqual({ modifiedAt: NOW, id: "" });
    expect(searches).toHaveLength(0);
  });
});

describe("what changed in HubSpot", () => {
  it("is read page by page from the last time seen, each record once", async () => {
    store = many(1000, (i) => at(i % 50, i));
    const { ids, highWater } = await readAll("contacts", SINCE);
    expect(ids.length).toBe(1000);
    expect(new Set(ids).size).toBe(1000);
    expect(highWater?.modifiedAt).toBe(at(49, 999));
    expect(searches.every((one) => one.after === undefined)).toBe(true);
  });

  it("skips nobody when records are edited while it reads", async () => {
    store = many(600, (i) => at(0, i));
    onSearch = () => {
      const edited = store[searches.length];
      if (edited !== undefined && searches.length < 5) edited.modified = at(30, searches.length);
    };
    const { ids } = await readAll("contacts", SINCE, 100);
    expect(new Set(ids).size).toBe(600);
  });

  it("gets through an import that stamped more records with one millisecond than a page holds", async () => {
    store = [...many(950, () => at(1)), { id: "5000", modified: at(0) }, { id: "5001", modified: at(2) }];
    const { ids } = await readAll("contacts", SINCE, 100);
    expect(ids).toHaveLength(952);
    expect(new Set(ids).size).toBe(952);
  });

  it("comes from a search, which may still show what is deleted by now; a list does not", async () => {
    store = many(3, (i) => at(1, i));
    const [found, listed] = [await readAll("contacts", SINCE), await readAll("contacts", null)];
    expect(found.records.map(({ mayLag }) => mayLag)).toEqual([true, true, true]);
    expect(listed.records.map(({ mayLag }) => mayLag)).toEqual([undefined, undefined, undefined]);
  });

  it("starts some minutes earlier, because a write is searchable late", async () => {
    await readAll("contacts", SINCE);
    expect(searches[0]?.filters).toEqual([
      { propertyName: "lastmodifieddate", operator: "GTE", value: String(Date.parse(at(-5))) },
    ]);
  });

  it("uses each kind's own modified property", async () => {
    await readAll("opportunities", SINCE);
    expect(searches[0]?.filters[0]?.propertyName).toBe("hs_lastmodifieddate");
  });

  it("takes the primary company where there are several, and none where there is none", async () => {
    store = many(2, (i) => at(i));
    const { records } = await readAll("contacts", SINCE);
    expect(records.map((record) => record.company)).toEqual([null, "901"]);
  });

  it("takes the primary company where it comes on a later page of many, also in a list", async () => {
    store = [{ id: CROWDED.id, modified: at(1) }];
    const [found, listed] = [await readAll("contacts", SINCE), await readAll("contacts", null)];
    expect([found, listed].map(({ records }) => records[0]?.company)).toEqual(["1250", "1250"]);
  });

  it("includes deletions since then, and merges with their survivor", async () => {
    store = [
      { id: "1", modified: at(-60), archivedAt: at(3) },
      { id: "2", modified: at(-60), archivedAt: at(-600) },
      {
        id: "3",
        modified: at(1),
        properties: { hs_merged_object_ids: "11;12", hs_calculated_merged_vids: "12:1700000000000" },
      },
    ];
    const { records } = await readAll("contacts", SINCE);
    expect(records.filter((record) => record.deleted).map(({ id, mergedInto }) => [id, mergedInto])).toEqual([
      ["11", "3"],
      ["12", "3"],
      ["1", null],
    ]);
  });

  it("reads a short archive with every run, and a long one at a call a minute: it tells of no more than deletions", async () => {
    const runAt = async (minute: number, since: HighWater) => {
      clock = at(60 + minute);
      archiveCalls = 0;
      const { records, highWater } = await readAll("contacts", since);
      const gone = records.filter(({ deleted }) => deleted).map(({ id }) => id);
      return { gone, calls: archiveCalls, since: highWater ?? since };
    };
    store = many(500, () => at(-60)).map((one) => ({ ...one, archivedAt: at(-600) }));
    const short = [await runAt(0, SINCE), await runAt(1, SINCE)];
    expect(short.map(({ calls }) => calls)).toEqual([5, 5]);

    store = many(700, () => at(-60)).map((one) => ({ ...one, archivedAt: at(-600) }));
    const first = await runAt(0, SINCE);
    store.push({ id: "801", modified: at(0), archivedAt: at(61) }, { id: "802", modified: at(80) });
    const soon = await runAt(6, first.since);
    expect([first.calls, soon.calls, soon.gone, soon.since.modifiedAt]).toEqual([7, 0, [], at(80)]);
    const later = await runAt(7, soon.since);
    expect([later.calls, later.gone]).toEqual([8, ["801"]]);
    const after = await runAt(15, later.since);
    expect([after.calls, after.gone]).toEqual([8, []]);
  });

  it("reads even the longest archive once a day, and whatever a clock says that was set back", () => {
    const deletions = { readAt: at(0), calls: 5000, upTo: at(0) };
    const due = (minute: number) => archiveIsDue({ ...SINCE, deletions }, new Date(at(minute)));
    expect([due(-1), due(1), due(24 * 60 - 1), due(24 * 60)]).toEqual([true, false, false, true]);
  });

  it("keeps the high water of before when nothing changed", async () => {
    expect(await readAll("contacts", SINCE)).toMatchObject({ records: [], highWater: SINCE });
  });
});
