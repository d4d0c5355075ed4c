import { beforeEach, describe, expect, it } from "vitest";
import type { CrmProvider, ReadRequest } from "../contract.ts";
import { createSalesforce } from "./provider.ts";

const session = { accessToken: "00Dx!token", instanceUrl: "https://acme.my.salesforce.com", externalAccountId: "00D" };
const STAMP = "2026-01-01T00:00:00.000+0000";

let sent: URL[] = [];
let answers: Record<string, (url: URL) => Response>;
let provider: CrmProvider;

const row = (id: string, more: object = {}) => ({
  attributes: { type: "Contact", url: "/x" },
  Id: id,
  SystemModstamp: STAMP,
  IsDeleted: false,
  ...more,
});
const page = (records: object[], next?: string, totalSize = records.length) =>
  Response.json({
    totalSize,
    done: next === undefined,
    ...(next ? { nextRecordsUrl: `/services/data/v62.0/query/${next}` } : {}),
    records,
  });
const refusal = (status: number, errorCode: string) => Response.json([{ errorCode, message: errorCode }], { status });
const soqlOf = (url: URL | undefined) => url?.searchParams.get("q") ?? "";
const read = (request: Partial<ReadRequest> = {}) =>
  provider.readPage(session, {
    entity: "contacts",
    fields: ["LastName", "Gone__c"],
    cursor: null,
    since: null,
    ...request,
  });

beforeEach(() => {
  sent = [];
  answers = {
    describe: () =>
      Response.json({
        fields: ["Id", "LastName", "AccountId", "OwnerId", "MasterRecordId"].map((name) => ({
          name,
          label: name,
          type: "string",
        })),
      }),
  };
  provider = createSalesforce({
    env: { SALESFORCE_CLIENT_ID: "app" },
    now: () => new Date("2026-11-21T12:00:00Z"),
    sleep: async () => {},
    fetch: async (input) => {
      const url = new URL(String(input));
      const name = /\/sobjects\/\w+\/describe$/.test(url.pathname)
        ? "describe"
        : (url.pathname.split("/v62.0/")[1] ?? url.pathname);
      if (name !== "describe") sent.push(url);
      return answers[name]?.(url) ?? refusal(404, "NOT_FOUND");
    },
  });
});

describe("reading records from Salesforce", () => {
  it("asks for what is mapped and known, in an order that can be resumed", async () => {
    answers.query = () =>
      page([row("003000000000001", { LastName: "Lovelace", AccountId: "001000000000001", OwnerId: null })]);
    const { records, missingFields, next, highWater } = await read();
    expect(soqlOf(sent[0])).toBe(
      "SELECT Id, SystemModstamp, IsDeleted, OwnerId, AccountId, LastName FROM Contact ORDER BY SystemModstamp, Id",
    );
    expect(records).toEqual([
      {
        id: "003000000000001AAA",
        modifiedAt: "2026-01-01T00:00:00.000Z",
        deleted: false,
        mergedInto: null,
        fields: { LastName: "Lovelace" },
        ownerId: null,
        company: "001000000000001AAA",
      },
    ]);
    expect(missingFields).toEqual(["Gone__c"]);
    expect(next).toBeNull();
    expect(highWater).toEqual({ modifiedAt: "2026-01-01T00:00:00.000Z", id: "003000000000001AAA" });
  });

  it("reads what changed with an overlap, deletions and merges included", async () => {
    answers.queryAll = () => page([row("003000000000002", { IsDeleted: true, MasterRecordId: "003000000000003" })]);
    const since = { modifiedAt: "2026-01-01T00:00:00.000Z", id: "003000000000001AAA" };
    const { records } = await read({ since });
    expect(soqlOf(sent[0])).toContain("MasterRecordId");
    expect(soqlOf(sent[0])).toContain("WHERE SystemModstamp >= 2025-12-31T23:55:00.000Z ORDER BY SystemModstamp, Id");
    expect(records[0]).toMatchObject({ deleted: true, mergedInto: "003000000000003AAA" });
  });

  it("goes on at the locator, and at time and id when the locator is lost", async () => {
    answers.query = () => page([row("003000000000001")], "01g1-2000", 3);
    const first = await read();
    expect(first).toMatchObject({ total: 3, next: { locator: "01g1-2000", id: "003000000000001AAA" } });

    answers["query/01g1-2000"] = () => page([row("003000000000002")], "01g1-4000", 3);
    const second = await read({ cursor: first.next });
    expect(second.records[0]?.id).toBe("003000000000002AAA");

    answers["query/01g1-4000"] = () => refusal(400, "INVALID_QUERY_LOCATOR");
    answers.query = () => page([row("003000000000003")]);
    const third = await read({ cursor: second.next });
    expect(soqlOf(sent.at(-1))).toContain(
      "WHERE (SystemModstamp > 2026-01-01T00:00:00.000Z OR (SystemModstamp = 2026-01-01T00:00:00.000Z AND Id > '003000000000002AAA'))",
    );
    expect(third).toMatchObject({ total: 3, next: null });
  });

  it("keeps the high water of before when nothing changed", async () => {
    answers.queryAll = () => page([]);
    const since = { modifiedAt: "2026-01-01T00:00:00.000Z", id: "003000000000001AAA" };
    expect(await read({ since })).toMatchObject({ records: [], next: null, highWater: since });
  });

  it("leaves relations out that were not read", async () => {
    answers.describe = () => Response.json({ fields: [{ name: "LastName", label: "Last name", type: "string" }] });
    answers.query = () => page([row("003000000000001", { LastName: "L" })]);
    expect((await read()).records[0]).not.toHaveProperty("company");
  });

  it("leaves fields out that were mapped after the first page, which a locator goes on without", async () => {
    answers["query/01g-2000"] = () => page([row("003000000000001", { AccountId: null })]);
    const cursor = { locator: "01g-2000", modifiedAt: STAMP, id: "003000000000000AAA", total: 2 };
    expect((await read({ cursor })).records[0]?.fields).toEqual({});
  });

  it.each([
    ["no JSON", () => new Response("<html>hello</html>", { headers: { "content-type": "text/html" } })],
    ["JSON of another shape", () => Response.json({ hello: 1 })],
    ["half of the JSON", () => new Response('{"totalSize":1,"do', { headers: { "content-type": "application/json" } })],
    [
      "a page without its end or a way on",
      () => Response.json({ totalSize: 3, done: false, records: [row("003000000000001")] }),
    ],
    [
      "a row without an id",
      () => Response.json({ totalSize: 1, done: true, records: [{ SystemModstamp: STAMP, IsDeleted: false }] }),
    ],
  ])("calls %s unreadable instead of losing records", async (_, answer) => {
    answers.query = answer;
    await expect(read()).rejects.toMatchObject({ detail: { kind: "transient", code: "malformed_answer" } });
  });

  it("asks again a few times while Salesforce is not available, not for ever", async () => {
    answers.query = () => refusal(503, "SERVER_UNAVAILABLE");
    await expect(read()).rejects.toMatchObject({ detail: { kind: "transient", code: "SERVER_UNAVAILABLE" } });
    expect(sent).toHaveLength(3);
  });

  it("does not try to renew a session by itself", async () => {
    answers.query = () => refusal(401, "INVALID_SESSION_ID");
    await expect(read()).rejects.toMatchObject({ detail: { kind: "revoked", code: "session_expired" } });
    expect(sent).toHaveLength(1);
  });
});
