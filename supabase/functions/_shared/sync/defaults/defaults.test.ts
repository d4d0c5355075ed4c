import { describe, expect, it } from "vitest";
import type { CrmField, CrmStage } from "../../crm/contract.ts";
import { appField } from "../appFields.ts";
import { defaultMappings, defaultStageMap } from "./index.ts";

const field = (name: string, more: Partial<CrmField> = {}): CrmField => ({
  name,
  label: name,
  type: "string",
  crmType: "string",
  required: false,
  readOnly: false,
  custom: false,
  ...more,
});
const stage = (id: string, probability: number | null, more: Partial<CrmStage> = {}): CrmStage => ({
  pipelineId: "",
  pipelineLabel: "",
  id,
  label: id,
  position: 0,
  probability,
  closed: false,
  won: false,
  ...more,
});
const pairs = (rows: { crm_field: string; app_field: string }[]) => rows.map((row) => [row.crm_field, row.app_field]);

describe("the mappings proposed on connect", () => {
  it("cover the standard fields that the CRM shows, and no others", () => {
    const rows = defaultMappings("salesforce", "opportunities", [
      field("Name"),
      field("StageName", { type: "picklist" }),
      field("CloseDate", { type: "date" }),
    ]);
    expect(pairs(rows)).toEqual([
      ["Name", "name"],
      ["StageName", "stage_key"],
      ["CloseDate", "expected_close_date"],
      ["CloseDate", "actual_close_date"],
    ]);
    expect(rows.map((row) => row.sync_direction)).toEqual(["bidirectional", "bidirectional", "bidirectional", "pull"]);
    expect(rows.map((row) => row.is_required)).toEqual([true, true, false, false]);
  });

  it("keep the CRM's custom fields under their own names", () => {
    const custom = ["Product__c", "Engage_Date__c", "Maven_Id__c"].map((name) => field(name, { custom: true }));
    const rows = defaultMappings("salesforce", "opportunities", custom);
    expect(rows.map((row) => row.app_field)).toEqual([
      "custom_fields.product",
      "custom_fields.engage_date",
      "custom_fields.maven_id",
    ]);
    expect(rows.every((row) => row.confidence < 1 && row.reason !== "")).toBe(true);
  });

  it("make one address of the parts that are there", () => {
    const rows = defaultMappings("salesforce", "accounts", [field("BillingCity"), field("BillingCountry")]);
    expect(rows).toMatchObject([
      { crm_field: "city=BillingCity,country=BillingCountry", app_field: "billing_address", data_type: "object" },
    ]);
  });

  it("guess a column from the name or the label, less sure of the label", () => {
    const rows = defaultMappings("salesforce", "accounts", [
      field("Company_Size__c", { custom: true }),
      field("Shortname__c", { label: "Source", custom: true, type: "picklist" }),
    ]);
    expect(rows).toMatchObject([
      { app_field: "source", confidence: 0.8 },
      { app_field: "custom_fields.company_size", confidence: 0.6 },
    ]);
  });

  it("use every column once, and only columns that exist", () => {
    const names = ["name", "Name", "Account_Name__c", "Source__c", "source", "Tier__c", "tier"];
    const rows = defaultMappings(
      "hubspot",
      "accounts",
      names.map((name) => field(name, { custom: true })),
    );
    const columns = rows.map((row) => row.app_field);
    expect(new Set(columns).size).toBe(columns.length);
    expect(columns.every((column) => appField("accounts", column) !== null)).toBe(true);
  });

  it("only read what the CRM does not let us write", () => {
    expect(defaultMappings("hubspot", "contacts", [field("email", { readOnly: true })])[0]?.sync_direction).toBe(
      "pull",
    );
  });
});

describe("the stage mapping proposed on connect", () => {
  const keys = (stages: CrmStage[]) => defaultStageMap(stages).map((row) => row.stage_key);

  it("understands the Maven sales team", () => {
    const stages = [
      stage("Prospecting", 10),
      stage("Engaging", 50),
      stage("Won", 100, { closed: true, won: true }),
      stage("Lost", 0, { closed: true }),
    ];
    expect(keys(stages)).toEqual(["prospect", "opportunity", "won", "lost"]);
  });

  it("understands HubSpot's default pipeline", () => {
    const stages = [
      stage("appointmentscheduled", 20, { label: "Appointment Scheduled" }),
      stage("qualifiedtobuy", 40, { label: "Qualified To Buy" }),
      stage("presentationscheduled", 60, { label: "Presentation Scheduled" }),
      stage("decisionmakerboughtin", 80, { label: "Decision Maker Bought-In" }),
      stage("contractsent", 90, { label: "Contract Sent" }),
      stage("closedwon", 100, { label: "Closed Won", closed: true, won: true }),
      stage("closedlost", 0, { label: "Closed Lost", closed: true }),
    ];
    expect(keys(stages)).toEqual(["prospect", "opportunity", "proposal", "negotiation", "negotiation", "won", "lost"]);
  });

  it("understands Salesforce's own stages", () => {
    const stages = [
      stage("Prospecting", 10),
      stage("Qualification", 10),
      stage("Needs Analysis", 20),
      stage("Value Proposition", 50),
      stage("Id. Decision Makers", 60),
      stage("Perception Analysis", 70),
      stage("Proposal/Price Quote", 75),
      stage("Negotiation/Review", 90),
    ];
    expect(keys(stages)).toEqual([
      "prospect",
      "opportunity",
      "opportunity",
      "opportunity",
      "proposal",
      "proposal",
      "proposal",
      "negotiation",
    ]);
  });

  it("goes by rank where a stage says nothing else", () => {
    const stages = ["a", "b", "c", "d", "e"].map((id, position) => stage(id, null, { position }));
    expect(keys(stages)).toEqual(["lead", "prospect", "opportunity", "proposal", "negotiation"]);
  });
});
