import { describe, expect, it } from "vitest";
import type { CrmRecord, EntityType } from "../../crm/contract.ts";
import { compilePlan, type MappingRow } from "./plan.ts";
import { openTransforms } from "./transform/index.ts";

const row = (crm_field: string, app_field: string, more: Partial<MappingRow> = {}): MappingRow => ({
  entity_type: "opportunities",
  crm_field,
  app_field,
  data_type: "string",
  sync_direction: "bidirectional",
  is_required: false,
  ...more,
});
const record = (fields: Record<string, unknown>, more: Partial<CrmRecord> = {}): CrmRecord => ({
  id: "006A",
  modifiedAt: "2026-01-01T00:00:00.000Z",
  deleted: false,
  fields,
  ...more,
});
const STAGES = [
  { crm_pipeline_id: "", crm_stage_id: "Won", stage_key: "won" },
  { crm_pipeline_id: "", crm_stage_id: "Engaging", stage_key: "opportunity" },
];
const DEAL = [
  row("Name", "name"),
  row("StageName", "stage_key", { data_type: "picklist" }),
  row("Amount", "estimated_value", { data_type: "number" }),
  row("CloseDate", "expected_close_date", { data_type: "date" }),
  row("CloseDate", "actual_close_date", { data_type: "date", sync_direction: "pull" }),
];
const map = (rows: MappingRow[], one: CrmRecord, entity: EntityType = "opportunities") =>
  compilePlan(entity, rows, STAGES, { crmName: "Salesforce" }).map(one);

describe("a CRM record becomes one of ours", () => {
  it("with its values, relations, owner and stage", () => {
    const one = record(
      { Name: " Big deal ", StageName: "Won", Amount: "1054", CloseDate: "2017-03-01" },
      { company: "001A", contact: null, ownerId: "005A", stage: { pipeline: "", id: "Won" } },
    );
    expect(map(DEAL, one).record).toEqual({
      crm_id: "006A",
      modified_at: "2026-01-01T00:00:00.000Z",
      deleted: false,
      company: "001A",
      contact: null,
      owner: "005A",
      stage: { pipeline: "", id: "Won" },
      values: {
        name: "Big deal",
        stage_key: "won",
        estimated_value: 1054,
        expected_close_date: "2017-03-01",
        actual_close_date: "2017-03-01",
      },
    });
  });

  it("says so where a search found it that lags behind", () => {
    expect(map([row("Name", "name")], record({ Name: "Big" }, { mayLag: true }), "accounts").record).toMatchObject({
      may_lag: true,
    });
  });

  it("keeps apart what was read as empty and what was not read", () => {
    const values = map(DEAL, record({ Name: "A", StageName: "Engaging", Amount: null })).record?.values;
    expect(values).toEqual({ name: "A", stage_key: "opportunity", estimated_value: null });
  });

  it("knows no closing day of a deal that is open", () => {
    const one = record({ Name: "A", StageName: "Engaging", CloseDate: "2017-03-01" });
    expect(map(DEAL, one).record?.values).toMatchObject({ expected_close_date: "2017-03-01", actual_close_date: null });
  });

  it("gathers an address from its parts", () => {
    const rows = [
      row("Name", "name", { entity_type: "accounts" }),
      row("city=BillingCity,country=BillingCountry", "billing_address", {
        entity_type: "accounts",
        data_type: "object",
      }),
    ];
    const plan = compilePlan("accounts", rows, [], { crmName: "Salesforce" });
    expect(plan.crmFields).toEqual(["Name", "BillingCity", "BillingCountry"]);
    const address = (fields: Record<string, unknown>) => plan.map(record({ Name: "A", ...fields })).record?.values;
    expect(address({ BillingCity: null, BillingCountry: "Kenya" })).toMatchObject({
      billing_address: { country: "Kenya" },
    });
    expect(address({ BillingCity: null, BillingCountry: "" })).toMatchObject({ billing_address: null });
    expect(address({})).not.toHaveProperty("billing_address");
    // A field that is gone from the CRM: our country stays.
    expect(address({ BillingCity: "Nairobi" })).not.toHaveProperty("billing_address");
  });

  it("reads nothing that only goes to the CRM, and nothing of other entities", () => {
    const rows = [
      row("A", "notes", { sync_direction: "push" }),
      row("B", "tags", { sync_direction: "none" }),
      row("Name", "name", { entity_type: "accounts" }),
    ];
    expect(compilePlan("opportunities", rows, [], { crmName: "Salesforce" }).crmFields).toEqual([]);
  });

  it("passes a deletion on without values, with the survivor of a merge", () => {
    expect(map(DEAL, record({}, { deleted: true, mergedInto: "006B" })).record).toEqual({
      crm_id: "006A",
      modified_at: "2026-01-01T00:00:00.000Z",
      deleted: true,
      merged_into: "006B",
      values: {},
    });
  });

  it("finds a stage by pipeline first, and by id alone where pipelines agree", () => {
    const stages = [
      { crm_pipeline_id: "p1", crm_stage_id: "1", stage_key: "lead" },
      { crm_pipeline_id: "p2", crm_stage_id: "1", stage_key: "won" },
      { crm_pipeline_id: "p2", crm_stage_id: "2", stage_key: "lost" },
    ];
    const plan = compilePlan("opportunities", DEAL, stages, { crmName: "HubSpot" });
    const stage = (pipeline: string, id: string) =>
      plan.map(record({ Name: "A", StageName: id }, { stage: { pipeline, id } })).record?.values.stage_key;
    expect([stage("p2", "1"), stage("p9", "2"), stage("p9", "1")]).toEqual(["won", "lost", undefined]);
  });
});

describe("a transform", () => {
  const rows = [
    row("Name", "name", { sync_direction: "pull", transform_function: "value + ' (' + record.Region__c + ')'" }),
    row("StageName", "stage_key", { data_type: "picklist" }),
    row("Amount", "estimated_value", {
      data_type: "number",
      sync_direction: "pull",
      transform_function: "Number(value.replace(/[^0-9.]/g, '')) || value.oops.oops",
    }),
  ];
  const plan = async (all: MappingRow[]) => {
    const options = { crmName: "Salesforce", knownFields: new Set(["Name", "Region__c"]) };
    return compilePlan("opportunities", all, STAGES, { ...options, transforms: await openTransforms(all) });
  };

  it("makes the value, which is then converted as any other", async () => {
    const { map: mapped } = await plan(rows);
    const one = record({ Name: "Big", Region__c: "North", StageName: "Won", Amount: "EUR 1,200.50" });
    expect(mapped(one).record?.values).toMatchObject({
      name: "Big (North)",
      stage_key: "won",
      estimated_value: 1200.5,
    });
  });

  it("asks for the fields it names, where the CRM has them", async () => {
    const more = row("Name", "notes", {
      sync_direction: "pull",
      transform_function: "record.Missing__c ?? record.Name",
    });
    expect((await plan([...rows, more])).crmFields).toEqual(["Name", "StageName", "Amount", "Region__c"]);
  });

  it("that fails refuses the record, names the field and says where to mend it", async () => {
    const { map: mapped } = await plan(rows);
    const { rejected } = mapped(record({ Name: "Big", Region__c: null, StageName: "Won", Amount: "none" }));
    expect(rejected).toMatchObject({ crm_id: "006A", code: "transform_failed", field: "Amount" });
    expect(rejected?.message).toBe(
      "Amount could not be transformed: the expression failed: TypeError: cannot read property 'oops' of undefined. " +
        "Correct the transform in the field mapping, or the record in Salesforce, then retry the failed records.",
    );
  });

  it("is never left out in silence: without a sandbox the record is refused", () => {
    const { rejected } = map(rows, record({ Name: "Big", StageName: "Won" }));
    expect(rejected).toMatchObject({ code: "transform_failed", field: "Name" });
  });

  it("of a field that was not read does nothing", async () => {
    const { map: mapped } = await plan(rows);
    expect(mapped(record({ Name: "Big", Region__c: "N", StageName: "Won" })).record?.values).not.toHaveProperty(
      "estimated_value",
    );
  });
});

describe("a record that does not fit is refused with a sentence", () => {
  it("for a name of 300 characters", () => {
    const { rejected } = map(DEAL, record({ Name: "x".repeat(300), StageName: "Won" }));
    expect(rejected).toEqual({
      crm_id: "006A",
      code: "too_long",
      field: "Name",
      message: "Name has 300 characters; at most 255 fit. Change it in Salesforce, then retry the failed records.",
    });
  });

  it("counts characters, not UTF-16 units", () => {
    expect(map(DEAL, record({ Name: "😀".repeat(255), StageName: "Won" })).record).toBeDefined();
  });

  it("for a missing required field", () => {
    const { rejected } = map(DEAL, record({ Name: "  ", StageName: "Won" }));
    expect(rejected).toMatchObject({ code: "required_missing", field: "Name" });
    expect(rejected?.message).toMatch(/^Name is empty, and name is required\./);
  });

  it("for a stage nobody mapped, and says where to map it", () => {
    const { rejected } = map(DEAL, record({ Name: "A", StageName: "Verbal" }));
    expect(rejected?.code).toBe("unmapped_stage");
    expect(rejected?.message).toContain('StageName is "Verbal"');
    expect(rejected?.message).toContain("Add it to the connection's stage mapping");
  });

  it("names every problem at once", () => {
    const { rejected } = map(DEAL, record({ Name: null, StageName: "Won", Amount: "lots", CloseDate: "soon" }));
    expect(rejected?.message).toContain('Amount is "lots", not a number');
    expect(rejected?.message).toContain('CloseDate is "soon", not a date');
  });

  it("never for a field named like something that every object has", () => {
    for (const name of ["constructor", "__proto__", "toString", "label=constructor"]) {
      const rows = [...DEAL, row(name, "custom_fields.odd")];
      const { record: kept } = map(rows, record({ Name: "A", StageName: "Won" }));
      expect(Object.keys(kept?.values ?? {})).toEqual(["name", "stage_key"]);
    }
  });

  it("for a contact that is nobody", () => {
    const rows = [
      row("LastName", "last_name", { entity_type: "contacts" }),
      row("Email", "email", { entity_type: "contacts", data_type: "email" }),
    ];
    expect(map(rows, record({ LastName: null, Email: "" }), "contacts").rejected).toMatchObject({
      code: "required_missing",
      field: "LastName",
    });
    expect(map(rows, record({ LastName: null, Email: "A@b.c" }), "contacts").record?.values).toEqual({
      last_name: null,
      email: "a@b.c",
    });
  });
});
