import { describe, expect, it } from "vitest";
import { call, hubspot, jsonOf, refusal } from "../support.ts";

type Row = { id: string };
type WithErrors = { numErrors?: number; errors?: { category: string; context: Record<string, string[]> }[] };

describe("HubSpot batches", () => {
  it("reads what is there and reports what is not, as 207", async () => {
    const { mock, client } = await hubspot();
    const [first] = mock.control.list("contacts", 0, 1) as Row[];
    const input = {
      inputs: [{ id: first?.id ?? "" }, { id: "404" }],
      properties: ["email"],
      propertiesWithHistory: [],
    };
    const answer = await client.crm.contacts.batchApi.read(input);
    expect(answer.results.map((record) => record.id)).toEqual([first?.id]);
    expect((answer as WithErrors).errors).toMatchObject([{ category: "OBJECT_NOT_FOUND", context: { ids: ["404"] } }]);
  });

  it("creates all or nothing unless every input has its own trace id", async () => {
    const { mock, client } = await hubspot({ records: 0, companies: 0, deals: 0 });
    const inputs = [{ properties: { email: "a@firm.example" } }, { properties: { email: "nonsense" } }];
    const plain = inputs.map((input) => ({ ...input, associations: [] }));
    expect((await refusal(() => client.crm.contacts.batchApi.create({ inputs: plain }))).code).toBe(400);
    expect(mock.control.list("contacts")).toHaveLength(0);
    expect(mock.control.counters().rows_written).toBe(0);
    const traced = plain.map((input, at) => ({ ...input, objectWriteTraceId: `t${at}` }));
    const answer = await client.crm.contacts.batchApi.create({ inputs: traced });
    expect(answer.results.map((record) => record.objectWriteTraceId)).toEqual(["t0"]);
    expect((answer as WithErrors).errors).toMatchObject([{ context: { objectWriteTraceId: ["t1"] } }]);
  });

  it("creates with associations, and nothing where the other end is missing", async () => {
    const { mock, client } = await hubspot();
    const [company] = mock.control.list("companies", 0, 1) as Row[];
    const tied = (to: string, trace: string) => ({
      properties: { email: `${trace}@firm.example` },
      associations: [{ to: { id: to }, types: [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: 1 }] }],
      objectWriteTraceId: trace,
    });
    type Inputs = Parameters<typeof client.crm.contacts.batchApi.create>[0];
    const inputs = [tied(company?.id ?? "", "t0"), tied("404", "t1")];
    const answer = await client.crm.contacts.batchApi.create({ inputs } as unknown as Inputs);
    expect(answer.results.map((record) => record.objectWriteTraceId)).toEqual(["t0"]);
    expect((answer as WithErrors).errors).toMatchObject([{ category: "OBJECT_NOT_FOUND" }]);
    expect(answer.results[0]?.properties.associatedcompanyid).toBe(company?.id);
    const left = mock.control.list("contacts", 0, 500) as { properties: { email?: string } }[];
    expect(left.filter(({ properties }) => properties.email === "t1@firm.example")).toEqual([]);
  });

  it("answers in an order of its own", async () => {
    const { client } = await hubspot({ records: 0 });
    const inputs = ["t0", "t1"].map((trace) => ({ properties: {}, associations: [], objectWriteTraceId: trace }));
    const answer = await client.crm.contacts.batchApi.create({ inputs });
    expect(answer.results.map((record) => record.objectWriteTraceId)).toEqual(["t1", "t0"]);
  });

  it("shows a parent company as a property that only the association changes", async () => {
    const { mock, client } = await hubspot();
    const [child, parent] = (mock.control.list("companies", 0, 2) as Row[]).map(({ id }) => id);
    const pair = { _from: { id: child ?? "" }, to: { id: parent ?? "" } };
    type Post = Parameters<typeof client.crm.associations.v4.batchApi.create>[2];
    const types = [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: 14 }];
    await client.crm.associations.v4.batchApi.create("companies", "companies", {
      inputs: [{ ...pair, types }],
    } as unknown as Post);
    const shown = async (id = "") =>
      (await client.crm.companies.basicApi.getById(id, ["hs_parent_company_id"])).properties.hs_parent_company_id;
    expect([await shown(child), await shown(parent)]).toEqual([parent, null]);
    await client.crm.associations.v4.batchApi.archive("companies", "companies", {
      inputs: [{ _from: pair._from, to: [pair.to] }],
    });
    expect(await shown(child)).toBeNull();
    const input = { id: child ?? "", properties: { hs_parent_company_id: parent ?? "" } };
    expect(((await client.crm.companies.batchApi.update({ inputs: [input] })) as WithErrors).numErrors).toBe(1);
  });

  it("updates row by row", async () => {
    const { mock, client } = await hubspot();
    const [first] = mock.control.list("contacts", 0, 1) as Row[];
    const answer = await client.crm.contacts.batchApi.update({
      inputs: [
        { id: first?.id ?? "", properties: { jobtitle: "Chief" } },
        { id: "404", properties: { jobtitle: "Nobody" } },
      ],
    });
    expect(answer.results[0]?.properties.jobtitle).toBe("Chief");
    expect((answer as WithErrors).numErrors).toBe(1);
  });

  it("upserts by e-mail, by a custom unique property, and not by a company's domain", async () => {
    const { client } = await hubspot();
    const byEmail = { id: "a@firm.example", idProperty: "email", properties: { lastname: "One" } };
    const first = await client.crm.contacts.batchApi.upsert({ inputs: [byEmail] });
    const second = await client.crm.contacts.batchApi.upsert({ inputs: [byEmail] });
    expect([first.results[0]?._new, second.results[0]?._new]).toEqual([true, false]);
    const byDomain = await client.crm.companies.batchApi.upsert({
      inputs: [{ id: "firm.example", idProperty: "domain", properties: {} }],
    });
    expect((byDomain as WithErrors).numErrors).toBe(1);
    await client.crm.properties.coreApi.create("companies", {
      name: "pipeline_id",
      label: "Pipeline id",
      groupName: "companyinformation",
      type: "string",
      fieldType: "text",
      hasUniqueValue: true,
    } as Parameters<typeof client.crm.properties.coreApi.create>[1]);
    const byOwn = await client.crm.companies.batchApi.upsert({
      inputs: [{ id: "p-1", idProperty: "pipeline_id", properties: { name: "Firm" } }],
    });
    expect(byOwn.results[0]?.properties).toMatchObject({ pipeline_id: "p-1", name: "Firm" });
  });

  it("refuses doubles and more than 100 inputs", async () => {
    const { client } = await hubspot();
    const row = { id: "1", properties: {} };
    for (const inputs of [[row, row], Array.from({ length: 101 }, (_none, at) => ({ ...row, id: String(at) }))]) {
      expect((await refusal(() => client.crm.contacts.batchApi.update({ inputs }))).code).toBe(400);
    }
  });

  it("archives with 204", async () => {
    const { mock, token } = await hubspot();
    const inputs = (mock.control.list("deals", 0, 2) as Row[]).map(({ id }) => ({ id }));
    const response = await call(token, `${mock.url}/crm/v3/objects/deals/batch/archive`, {
      method: "POST",
      body: JSON.stringify({ inputs }),
    });
    expect(response.status).toBe(204);
    const list = await jsonOf(await call(token, `${mock.url}/crm/v3/objects/deals?archived=true`));
    expect(list.results).toHaveLength(2);
  });
});
