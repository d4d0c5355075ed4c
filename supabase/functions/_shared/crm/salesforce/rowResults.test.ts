import { describe, expect, it } from "vitest";
import { createdRow, deletedRow, readRows, updatedRow } from "./rowResults.ts";

const NOW = new Date("2026-11-21T12:00:00Z");
const ID = "0035000000abcDEAAY";
const refused = (statusCode: string, message = statusCode, more: object = {}) => ({
  success: false,
  errors: [{ statusCode, message, fields: [], ...more }],
});
const create = (row: object) => readRows([row], [{ key: "k" }], createdRow("Contact", NOW))[0];
const update = (row: object) => readRows([row], [{ key: "k", id: ID }], updatedRow(NOW))[0];
const remove = (row: object) => readRows([row], [ID], deletedRow(NOW))[0];
const matching = (...records: [entityType: string, id: string][]) => ({
  duplicateResult: {
    matchResults: records.map(([entityType, Id]) => ({ entityType, matchRecords: [{ record: { Id } }] })),
  },
});

describe("a row of Salesforce's answer", () => {
  it.each([
    ["UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", "transient", "UNABLE_TO_LOCK_ROW"],
    [
      "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
      "Trigger: UNABLE_TO_LOCK_ROW, row locked",
      "transient",
      "UNABLE_TO_LOCK_ROW",
    ],
    ["REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", "transient", "daily_quota"],
    ["REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", "rejected", "REQUIRED_FIELD_MISSING"],
    ["SOMETHING_NEW", "never seen", "rejected", "SOMETHING_NEW"],
  ])("%s (%s) is %s", (statusCode, message, kind, code) => {
    const result = create(refused(statusCode, message, { fields: ["LastName"] }));
    expect(result).toMatchObject({ key: "k", outcome: "failed", id: null, error: { kind, code, field: "LastName" } });
    expect(result?.error?.userMessage).toMatch(/^[A-Z].*\.$/);
  });

  it("names the record that stands in the way, in its long form, if there is exactly one", () => {
    const taken = "duplicate value found: Ext__c duplicates value on record with id: 0035000000abcDE";
    expect(create(refused("DUPLICATE_VALUE", taken))).toEqual({ key: "k", outcome: "exists", id: ID });
    expect(create(refused("DUPLICATE_VALUE", "duplicate value found: <unknown>"))).toMatchObject({ outcome: "failed" });
    expect(update(refused("DUPLICATE_VALUE", taken))).toMatchObject({ outcome: "failed", error: { kind: "rejected" } });
  });

  it("reads duplicate rules: one contact is an answer, a lead or two contacts are none", () => {
    const detected = (...records: [string, string][]) =>
      create(refused("DUPLICATES_DETECTED", "x", matching(...records)));
    expect(detected(["Contact", ID])).toEqual({ key: "k", outcome: "exists", id: ID });
    expect(detected(["Contact", ID], ["Lead", "00Q000000000001AAA"])).toMatchObject({ outcome: "exists", id: ID });
    expect(detected(["Lead", "00Q000000000001AAA"])).toMatchObject({ outcome: "failed" });
    expect(detected(["Contact", ID], ["Contact", "003000000000001AAA"])).toMatchObject({ outcome: "failed" });
    expect(create(refused("DUPLICATES_DETECTED"))).toMatchObject({ outcome: "failed" });
  });

  it("tells a record that is gone from a relation that is gone", () => {
    for (const code of ["ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"]) {
      expect(update(refused(code))).toEqual({ key: "k", outcome: "gone", id: ID });
      expect(remove(refused(code))).toEqual({ key: ID, outcome: "written", id: ID });
      expect(create(refused(code))).toMatchObject({ outcome: "failed", error: { kind: "rejected" } });
    }
    const relation = refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", { fields: ["AccountId"] });
    expect(update(relation)).toMatchObject({ outcome: "failed", error: { field: "AccountId" } });
  });

  it("is not trusted when rows are missing or have no shape", () => {
    const read = (answer: unknown) => () => readRows(answer, [{ key: "a" }, { key: "b" }], createdRow("Contact", NOW));
    for (const answer of [[], [{ id: ID, success: true }], { hello: "world" }, "", [{}, {}]]) {
      expect(read(answer)).toThrow("cannot be read");
    }
    expect(() => create({ success: true })).toThrow("cannot be read");
    expect(create({ success: false })).toMatchObject({ outcome: "failed", error: { kind: "transient" } });
  });
});
