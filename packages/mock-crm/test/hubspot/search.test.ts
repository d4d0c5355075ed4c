import type { PublicObjectSearchRequest } from "@hubspot/api-client/lib/codegen/crm/contacts/models/PublicObjectSearchRequest.js";
import { describe, expect, it } from "vitest";
import { hubspot, refusal } from "../support.ts";

type Client = Awaited<ReturnType<typeof hubspot>>["client"];
type Filter = { propertyName: string; operator: string; value?: string; values?: string[]; highValue?: string };

function search(client: Client, filters: Filter[], more: Partial<PublicObjectSearchRequest> = {}) {
  const request = { filterGroups: [{ filters }], ...more } as PublicObjectSearchRequest;
  return client.crm.companies.searchApi.doSearch(request);
}

async function companies() {
  const { mock, client } = await hubspot({ records: 0, companies: 0, deals: 0 });
  const make = (name: string, more: Record<string, string> = {}) =>
    mock.control.records([{ action: "create", type: "companies", fields: { name, ...more } }]);
  make("Alpha", { numberofemployees: "5", city: "Oslo" });
  make("Beta Works", { numberofemployees: "50", city: "Oslo" });
  make("Gamma", { numberofemployees: "500" });
  return { mock, client };
}

describe("HubSpot search", () => {
  it.each([
    [{ propertyName: "name", operator: "EQ", value: "ALPHA" }, ["Alpha"]],
    [{ propertyName: "name", operator: "NEQ", value: "alpha" }, ["Beta Works", "Gamma"]],
    [{ propertyName: "numberofemployees", operator: "LT", value: "50" }, ["Alpha"]],
    [{ propertyName: "numberofemployees", operator: "LTE", value: "50" }, ["Alpha", "Beta Works"]],
    [{ propertyName: "numberofemployees", operator: "GT", value: "50" }, ["Gamma"]],
    [{ propertyName: "numberofemployees", operator: "GTE", value: "50" }, ["Beta Works", "Gamma"]],
    [{ propertyName: "numberofemployees", operator: "BETWEEN", value: "6", highValue: "60" }, ["Beta Works"]],
    [{ propertyName: "name", operator: "IN", values: ["alpha", "gamma"] }, ["Alpha", "Gamma"]],
    [{ propertyName: "name", operator: "IN", values: ["Alpha"] }, []],
    [{ propertyName: "name", operator: "NOT_IN", values: ["alpha"] }, ["Beta Works", "Gamma"]],
    [{ propertyName: "city", operator: "HAS_PROPERTY" }, ["Alpha", "Beta Works"]],
    [{ propertyName: "city", operator: "NOT_HAS_PROPERTY" }, ["Gamma"]],
    [{ propertyName: "name", operator: "CONTAINS_TOKEN", value: "work*" }, ["Beta Works"]],
    [{ propertyName: "name", operator: "NOT_CONTAINS_TOKEN", value: "works" }, ["Alpha", "Gamma"]],
  ] as [Filter, string[]][])("finds by %o", async (filter, names) => {
    const { client } = await companies();
    const { total, results } = await search(client, [filter]);
    expect(results.map((record) => record.properties.name)).toEqual(names);
    expect(total).toBe(names.length);
  });

  it("joins filters by AND, groups by OR, and sorts either way", async () => {
    const { client } = await companies();
    const both = await search(client, [
      { propertyName: "city", operator: "EQ", value: "oslo" },
      { propertyName: "numberofemployees", operator: "GT", value: "10" },
    ]);
    expect(both.results.map((record) => record.properties.name)).toEqual(["Beta Works"]);
    const either = await client.crm.companies.searchApi.doSearch({
      filterGroups: ["alpha", "gamma"].map((value) => ({ filters: [{ propertyName: "name", operator: "EQ", value }] })),
      sorts: ["-numberofemployees"],
    } as PublicObjectSearchRequest);
    expect(either.results.map((record) => record.properties.name)).toEqual(["Gamma", "Alpha"]);
  });

  it("refuses too many groups, filters or results, and unknown properties", async () => {
    const { client } = await companies();
    const filter = { propertyName: "name", operator: "EQ", value: "x" };
    const bad: Partial<PublicObjectSearchRequest>[] = [
      { filterGroups: Array(6).fill({ filters: [filter] }) },
      { filterGroups: Array(3).fill({ filters: Array(10).fill(filter) }) },
      { limit: 201 },
      { sorts: ["name", "city"] },
      {
        filterGroups: [
          { filters: [{ ...filter, propertyName: "shoe_size" }] },
        ] as PublicObjectSearchRequest["filterGroups"],
      },
    ];
    for (const request of bad) expect((await refusal(() => search(client, [], request))).code).toBe(400);
  });

  it("goes through 10,000 results and no further", async () => {
    const { client } = await hubspot({ records: 10_050, companies: 0, deals: 0 });
    const page = (after: string) =>
      client.crm.contacts.searchApi.doSearch({ filterGroups: [], limit: 200, after } as PublicObjectSearchRequest);
    const last = await page("9800");
    expect([last.total, last.results.length, last.paging?.next?.after]).toEqual([10_050, 200, "10000"]);
    expect((await refusal(() => page("10000"))).code).toBe(400);
  });

  it("reads on from a modified time, oldest first", async () => {
    const { client } = await hubspot({ records: 500, companies: 0, deals: 0 });
    const seen = new Set<string>();
    let value = "0";
    for (;;) {
      const filters = [{ propertyName: "lastmodifieddate", operator: "GTE", value }];
      const { results } = await client.crm.contacts.searchApi.doSearch({
        filterGroups: [{ filters }],
        sorts: ["lastmodifieddate"],
        limit: 100,
      } as PublicObjectSearchRequest);
      for (const record of results) seen.add(record.id);
      if (results.length < 100) break;
      value = String(results.at(-1)?.updatedAt.getTime());
    }
    expect(seen.size).toBe(500);
  });

  it("does not see a fresh write until the index caught up", async () => {
    const { mock, client } = await companies();
    mock.control.knobs({ clockFixed: "2026-05-01T00:00:00Z", searchLagMs: 5000, tokenLifeSeconds: 1e9 });
    client.setAccessToken(mock.control.issueToken().token);
    const [alpha, beta] = mock.control.list("companies", 0, 2) as { id: string }[];
    mock.control.records([
      { action: "create", type: "companies", fields: { name: "Delta" } },
      { action: "edit", type: "companies", id: alpha?.id ?? "", fields: { name: "Alpha 2" } },
      { action: "delete", type: "companies", id: beta?.id ?? "" },
    ]);
    const names = async () => (await search(client, [])).results.map((record) => record.properties.name);
    expect(await names()).toEqual(["Alpha", "Beta Works", "Gamma"]);
    mock.control.knobs({ clockOffsetMs: 5000 });
    expect(await names()).toEqual(["Alpha 2", "Gamma", "Delta"]);
  });
});
