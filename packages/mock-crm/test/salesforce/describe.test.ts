import type { Field } from "jsforce";
import { describe, expect, it } from "vitest";
import { checksum, makeId, toId18 } from "../../src/salesforce/ids.ts";
import { call, salesforce } from "../support.ts";

describe("Salesforce describe", () => {
  it("lists the objects", async () => {
    const { connection } = await salesforce();
    const { sobjects, maxBatchSize } = await connection.describeGlobal();
    expect(maxBatchSize).toBe(200);
    expect(sobjects.map((object) => [object.name, object.keyPrefix, object.createable])).toEqual([
      ["Account", "001", true],
      ["Contact", "003", true],
      ["Opportunity", "006", true],
      ["OpportunityStage", "01J", false],
      ["User", "005", false],
    ]);
  });

  it("tells of each field what a mapping needs", async () => {
    const { connection } = await salesforce({ data: "maven" });
    const { fields, childRelationships } = await connection.describe("Opportunity");
    const field = (name: string) => fields.find((candidate) => candidate.name === name) as Field;
    expect(field("Name")).toMatchObject({
      type: "string",
      length: 120,
      nillable: false,
      createable: true,
      nameField: true,
    });
    expect(field("StageName").picklistValues?.map((option) => option.value)).toEqual([
      "Prospecting",
      "Engaging",
      "Won",
      "Lost",
    ]);
    expect(field("OwnerId")).toMatchObject({ type: "reference", referenceTo: ["User"], relationshipName: "Owner" });
    expect(field("Maven_Id__c")).toMatchObject({ custom: true, unique: true, externalId: true, idLookup: true });
    expect(field("SystemModstamp")).toMatchObject({ type: "datetime", createable: false, updateable: false });
    expect(childRelationships).toEqual([]);
  });

  it("names exactly the required fields of a new contact", async () => {
    const { connection } = await salesforce();
    const { fields } = await connection.sobject("Contact").describe();
    const required = fields.filter((field) => field.createable && !field.nillable && !field.defaultedOnCreate);
    expect(required.map((field) => field.name)).toEqual(["LastName"]);
  });

  it("reads the stages with order, probability and outcome", async () => {
    const { connection } = await salesforce({ data: "maven" });
    const { records } = await connection.query<Record<string, unknown>>(
      "SELECT MasterLabel, DefaultProbability, IsClosed, IsWon FROM OpportunityStage ORDER BY SortOrder",
    );
    expect(records.map((stage) => [stage.MasterLabel, stage.DefaultProbability, stage.IsClosed, stage.IsWon])).toEqual([
      ["Prospecting", 10, false, false],
      ["Engaging", 40, false, false],
      ["Won", 100, true, true],
      ["Lost", 0, true, false],
    ]);
  });

  it("lists API versions without a session and everything else only with one", async () => {
    const { mock, connection } = await salesforce();
    const versions = (await (await fetch(`${mock.url}/services/data`)).json()) as { version: string }[];
    expect(versions.map((entry) => entry.version)).toContain("62.0");
    const response = await call("wrong", `${mock.url}/services/data/v62.0/sobjects`);
    expect([response.status, await response.json()]).toEqual([
      401,
      [{ message: "Session expired or invalid", errorCode: "INVALID_SESSION_ID" }],
    ]);
    expect((await connection.limits()).DailyApiRequests?.Max).toBe(100_000);
    expect(connection.limitInfo.apiUsage).toEqual({ used: 1, limit: 100_000 });
  });
});

describe("Salesforce ids", () => {
  it.each([
    ["00D50000000IZ3Z", "EAW"],
    ["00190000001pPvH", "AAU"],
  ])("closes %s with %s", (id15, suffix) => {
    expect(checksum(id15)).toBe(suffix);
    expect(toId18(id15)).toBe(id15 + suffix);
  });

  it("sorts in the order of creation and refuses other text", () => {
    const ids = [1, 9, 10, 36, 61, 62, 4000, 250_000].map((sequence) => makeId("003", sequence));
    expect([...ids].sort()).toEqual(ids);
    expect(toId18("not an id")).toBeNull();
  });
});
