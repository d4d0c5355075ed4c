import { FilterOperatorEnum } from "@hubspot/api-client/lib/codegen/crm/contacts/models/Filter.js";
import { describe, expect, it } from "vitest";
import { call, hubspot, jsonOf, refusal } from "../support.ts";

describe("HubSpot objects", () => {
  it("lists by 100, in string values, each record once", async () => {
    const { client } = await hubspot({ records: 250 });
    const ids: string[] = [];
    let after: string | undefined;
    do {
      const page = await client.crm.contacts.basicApi.getPage(100, after, ["email", "phone"]);
      ids.push(...page.results.map((record) => record.id));
      after = page.paging?.next?.after;
    } while (after !== undefined);
    expect([ids.length, new Set(ids).size]).toEqual([250, 250]);
  });

  it("shows default properties unless asked for others, unset ones as null, unknown ones not at all", async () => {
    const { client } = await hubspot();
    const plain = await client.crm.companies.basicApi.getPage(1);
    expect(Object.keys(plain.results[0]?.properties ?? {}).sort()).toEqual([
      "createdate",
      "domain",
      "hs_lastmodifieddate",
      "hs_object_id",
      "name",
    ]);
    const asked = await client.crm.companies.basicApi.getPage(1, undefined, ["description", "shoe_size"]);
    expect(asked.results[0]?.properties).toMatchObject({ description: null });
    expect(asked.results[0]?.properties).not.toHaveProperty("shoe_size");
  });

  it("takes property lists repeated or with commas", async () => {
    const { mock, token } = await hubspot();
    for (const query of ["properties=email&properties=phone", "properties=email,phone"]) {
      const body = await jsonOf(await call(token, `${mock.url}/crm/v3/objects/contacts?limit=1&${query}`));
      const [record] = body.results as { properties: object }[];
      expect(Object.keys(record?.properties ?? {})).toEqual(expect.arrayContaining(["email", "phone"]));
    }
  });

  it("brings associations along in a list", async () => {
    const { client } = await hubspot({ data: "demo" });
    const page = await client.crm.contacts.basicApi.getPage(20, undefined, ["email"], undefined, ["companies"]);
    expect(page.results[0]?.associations?.companies?.results.map((result) => result.type)).toEqual([
      "contact_to_company",
      "contact_to_company_unlabeled",
    ]);
    expect(page.results[19]?.associations).toBeUndefined();
  });

  it("creates, reads by id and by e-mail, updates, clears, archives", async () => {
    const { client } = await hubspot();
    const api = client.crm.contacts.basicApi;
    const { id } = await api.create({ properties: { email: "Ada@Firm.example", lastname: "Byron" }, associations: [] });
    expect((await api.getById("ada@firm.example", undefined, undefined, undefined, false, "email")).id).toBe(id);
    const updated = await api.update(id, { properties: { jobtitle: "Countess", lastname: "" } });
    expect(updated.properties).toMatchObject({ jobtitle: "Countess", lastname: null });
    await api.archive(id);
    await api.archive(id);
    expect(await refusal(() => api.getById(id))).toMatchObject({ code: 404, body: { category: "OBJECT_NOT_FOUND" } });
    const archived = await api.getById(id, undefined, undefined, undefined, true);
    expect([archived.archived, archived.archivedAt]).toEqual([true, expect.any(Date)]);
    expect((await api.getPage(100, undefined, [], [], [], true)).results.map((record) => record.id)).toEqual([id]);
  });

  it("knows one contact per e-mail, secondary addresses included", async () => {
    const { client } = await hubspot();
    const api = client.crm.contacts.basicApi;
    const { id } = await api.create({
      properties: { email: "a@firm.example", hs_additional_emails: "b@firm.example" },
      associations: [],
    });
    for (const email of ["A@firm.example", "b@firm.example"]) {
      const error = await refusal(() => api.create({ properties: { email }, associations: [] }));
      expect(error).toMatchObject({
        code: 409,
        body: { category: "CONFLICT", message: `Contact already exists. Existing ID: ${id}` },
      });
    }
  });

  it("makes two companies of one domain, since nothing is unique there", async () => {
    const { client } = await hubspot();
    const make = () =>
      client.crm.companies.basicApi.create({ properties: { domain: "https://www.Firm.example/" }, associations: [] });
    const [one, two] = [await make(), await make()];
    expect(one.id).not.toBe(two.id);
    expect(one.properties.domain).toBe("firm.example");
  });

  it.each([
    ["shoe_size", "42", "PROPERTY_DOESNT_EXIST"],
    ["createdate", "2026-01-01", "READ_ONLY_VALUE"],
    ["email", "a.example", "INVALID_EMAIL"],
    ["lifecyclestage", "friend", "INVALID_OPTION"],
  ])("refuses %s = %s with %s packed into the message", async (name, value, code) => {
    const { client } = await hubspot();
    const error = await refusal(() =>
      client.crm.contacts.basicApi.create({ properties: { [name]: value }, associations: [] }),
    );
    const body = error.body as { category: string; message: string };
    expect([error.code, body.category]).toEqual([400, "VALIDATION_ERROR"]);
    expect(JSON.parse(body.message.slice("Property values were not valid: ".length))).toMatchObject([
      { isValid: false, error: code, name },
    ]);
  });

  it("refuses numbers and dates that are none", async () => {
    const { client } = await hubspot();
    for (const [name, value] of [
      ["amount", "lots"],
      ["closedate", "soon"],
    ] as const) {
      const error = await refusal(() =>
        client.crm.deals.basicApi.create({ properties: { [name]: value }, associations: [] }),
      );
      expect(error.code).toBe(400);
    }
  });

  it("merges into a record with a new id that remembers both; the old ids lead to it", async () => {
    const { client } = await hubspot();
    const api = client.crm.contacts.basicApi;
    const [winner, loser] = (await api.getPage(2, undefined, ["email"], [], ["companies"])).results;
    const [primaryObjectId, objectIdToMerge] = [winner?.id ?? "", loser?.id ?? ""];
    const merged = await api.merge({ primaryObjectId, objectIdToMerge });
    expect([primaryObjectId, objectIdToMerge]).not.toContain(merged.id);
    expect(merged.properties).toMatchObject({
      email: winner?.properties.email,
      hs_merged_object_ids: `${primaryObjectId};${objectIdToMerge}`,
      hs_additional_emails: loser?.properties.email,
    });
    expect((await api.getById(objectIdToMerge)).id).toBe(merged.id);
    const companies = await client.crm.associations.v4.basicApi.getPage("contacts", merged.id, "companies");
    expect(companies.results).toHaveLength(2);
  });

  it("shows the company that a merge made on the contacts of both", async () => {
    const { client } = await hubspot();
    const { contacts, companies } = client.crm;
    const [one, other] = (await contacts.basicApi.getPage(2, undefined, ["associatedcompanyid"])).results;
    const of = (contact: typeof one) => contact?.properties.associatedcompanyid ?? "";
    expect(of(one)).not.toBe(of(other));
    const merged = await companies.basicApi.merge({ primaryObjectId: of(one), objectIdToMerge: of(other) });
    for (const { id } of [one, other].filter((contact) => contact !== undefined)) {
      const after = await contacts.basicApi.getById(id, ["associatedcompanyid"]);
      expect(of(after)).toBe(merged.id);
    }
  });

  it("keeps the history of edited values", async () => {
    const { mock, client } = await hubspot();
    const [contact] = mock.control.list("contacts", 0, 1) as { id: string; properties: { jobtitle: string } }[];
    await client.crm.contacts.basicApi.update(contact?.id ?? "", { properties: { jobtitle: "Chief" } });
    const read = await client.crm.contacts.basicApi.getById(contact?.id ?? "", [], ["jobtitle"]);
    expect(read.propertiesWithHistory?.jobtitle?.map((version) => version.value)).toEqual([
      "Chief",
      contact?.properties.jobtitle,
    ]);
  });

  it("answers the dated path and the type id like the plain ones", async () => {
    const { mock, token } = await hubspot();
    const paths = ["/crm/v3/objects/contacts", "/crm/objects/2026-03/contacts", "/crm/v3/objects/0-1"];
    const bodies = await Promise.all(
      paths.map(async (path) => (await jsonOf(await call(token, mock.url + path))).results),
    );
    expect(bodies[1]).toEqual(bodies[0]);
    expect(bodies[2]).toEqual(bodies[0]);
    expect((await call(token, `${mock.url}/crm/v3/objects/boats`)).status).toBe(400);
  });

  it("derives a deal's outcome from its stage", async () => {
    const { client } = await hubspot();
    const { id } = await client.crm.deals.basicApi.create({
      properties: { dealname: "A", pipeline: "default", dealstage: "closedwon" },
      associations: [],
    });
    const read = await client.crm.deals.basicApi.getById(id, ["hs_is_closed_won", "hs_deal_stage_probability"]);
    expect(read.properties).toMatchObject({ hs_is_closed_won: "true", hs_deal_stage_probability: "1" });
    const found = await client.crm.deals.searchApi.doSearch({
      filterGroups: [{ filters: [{ propertyName: "dealname", operator: FilterOperatorEnum.Eq, value: "a" }] }],
    });
    expect(found.results.map((record) => record.id)).toEqual([id]);
  });
});
