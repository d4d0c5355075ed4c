import { AssociationSpecAssociationCategoryEnum } from "@hubspot/api-client/lib/codegen/crm/associations/v4/models/AssociationSpec.js";
import { describe, expect, it } from "vitest";
import { call, hubspot, jsonOf } from "../support.ts";

type Row = { id: string };

describe("HubSpot schema and people", () => {
  it("describes properties with type, options and whether they can be written", async () => {
    const { client } = await hubspot();
    const { results } = await client.crm.properties.coreApi.getAll("contacts");
    const property = (name: string) => results.find((candidate) => candidate.name === name);
    expect(property("email")).toMatchObject({ type: "string", hasUniqueValue: true });
    expect(property("lastmodifieddate")?.modificationMetadata?.readOnlyValue).toBe(true);
    expect(property("lifecyclestage")?.options.map((option) => option.value)).toContain("customer");
    const companies = await client.crm.properties.coreApi.getByName("companies", "hs_lastmodifieddate");
    expect(companies.type).toBe("datetime");
  });

  it("describes the deal pipeline, metadata in strings", async () => {
    const { client } = await hubspot();
    const { results } = await client.crm.pipelines.pipelinesApi.getAll("deals");
    expect(results.map((pipeline) => pipeline.id)).toEqual(["default"]);
    expect(results[0]?.stages.map((stage) => stage.id)).toEqual([
      "appointmentscheduled",
      "qualifiedtobuy",
      "presentationscheduled",
      "decisionmakerboughtin",
      "contractsent",
      "closedwon",
      "closedlost",
    ]);
    expect(results[0]?.stages[5]?.metadata).toEqual({ isClosed: "true", probability: "1.0" });
  });

  it("lists owners with and without the trailing slash; some are people of the demo workspace", async () => {
    const { mock, token, client } = await hubspot();
    const { results } = await client.crm.owners.ownersApi.getPage();
    expect(results.map((owner) => owner.email).slice(0, 3)).toEqual([
      "owner@demo.example",
      "admin@demo.example",
      "member@demo.example",
    ]);
    const slashless = await jsonOf(await call(token, `${mock.url}/crm/v3/owners?limit=2`));
    expect(slashless.results).toHaveLength(2);
    expect(slashless.paging).toEqual({ next: { after: "2" } });
  });
});

describe("HubSpot associations", () => {
  it("ties both ways with the ids of each direction; the first company is the primary one", async () => {
    const { mock, client } = await hubspot({ records: 2, companies: 3, deals: 1 });
    const api = client.crm.associations.v4.basicApi;
    const [contact] = mock.control.list("contacts", 0, 1) as Row[];
    const third = (mock.control.list("companies", 0, 3) as Row[])[2];
    await api.createDefault("contacts", contact?.id ?? "", "companies", third?.id ?? "");
    const { results } = await api.getPage("contacts", contact?.id ?? "", "companies");
    expect(results.map((result) => result.associationTypes.map((type) => type.typeId))).toEqual([[1, 279], [279]]);
    const back = await api.getPage("companies", third?.id ?? "", "contacts");
    expect(back.results.map((result) => [String(result.toObjectId), result.associationTypes[0]?.typeId])).toEqual([
      [contact?.id, 280],
    ]);
  });

  it("moves the primary company when told, and shows it on the contact", async () => {
    const { mock, client } = await hubspot({ records: 1, companies: 2, deals: 0 });
    const [contact] = mock.control.list("contacts", 0, 1) as Row[];
    const second = (mock.control.list("companies", 0, 2) as Row[])[1];
    const types = [
      { associationCategory: AssociationSpecAssociationCategoryEnum.HubspotDefined, associationTypeId: 1 },
    ];
    await client.crm.associations.v4.basicApi.create(
      "contacts",
      contact?.id ?? "",
      "companies",
      second?.id ?? "",
      types,
    );
    const read = await client.crm.contacts.basicApi.getById(contact?.id ?? "", ["associatedcompanyid"]);
    expect(read.properties.associatedcompanyid).toBe(second?.id);
    await client.crm.associations.v4.basicApi.archive("contacts", contact?.id ?? "", "companies", second?.id ?? "");
    const after = await client.crm.contacts.basicApi.getById(contact?.id ?? "", ["associatedcompanyid"]);
    expect(after.properties.associatedcompanyid).toBeNull();
  });

  it("reads in batches; a record without any is an error in a 207", async () => {
    const { mock, token } = await hubspot({ records: 2, companies: 1, deals: 0 });
    const [tied, free] = mock.control.list("contacts", 0, 2) as Row[];
    const [company] = mock.control.list("companies", 0, 1) as Row[];
    const at = { type: "contacts", id: free?.id ?? "" };
    mock.control.records([
      { action: "associate", from: at, to: { type: "companies", id: company?.id ?? "" }, unlink: true },
    ]);
    const response = await call(token, `${mock.url}/crm/v4/associations/contacts/companies/batch/read`, {
      method: "POST",
      body: JSON.stringify({ inputs: [{ id: tied?.id }, { id: free?.id }] }),
    });
    expect(response.status).toBe(207);
    expect(await jsonOf(response)).toMatchObject({
      results: [{ from: { id: tied?.id }, to: [{ toObjectId: company?.id }] }],
      numErrors: 1,
      errors: [{ subCategory: "crm.associations.NO_ASSOCIATIONS_FOUND", context: { fromObjectId: [free?.id] } }],
    });
  });

  it("ties and unties in batches", async () => {
    const { mock, client } = await hubspot({ records: 1, companies: 1, deals: 1 });
    const [[contact], [deal]] = [mock.control.list("contacts") as Row[], mock.control.list("deals") as Row[]];
    const from = { id: deal?.id ?? "" };
    const to = { id: contact?.id ?? "" };
    const { batchApi, basicApi } = client.crm.associations.v4;
    await batchApi.createDefault("deals", "contacts", { inputs: [{ _from: from, to }] });
    const tied = await basicApi.getPage("deals", from.id, "contacts");
    expect(tied.results[0]?.associationTypes.map((type) => type.typeId)).toEqual([3]);
    await batchApi.archive("deals", "contacts", { inputs: [{ _from: from, to: [to] }] });
    expect((await basicApi.getPage("deals", from.id, "contacts")).results).toEqual([]);
  });
});
