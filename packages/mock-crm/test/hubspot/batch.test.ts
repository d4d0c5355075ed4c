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
