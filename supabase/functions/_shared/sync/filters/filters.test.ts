import { describe, expect, it } from "vitest";
import { CrmFailure } from "../../crm/contract.ts";
import type { MappingRow } from "../mapping/plan.ts";
import { excludedFields } from "../rules.ts";
import { parseFilter } from "./parse.ts";
import { type FilterTerms, toCrmFilter } from "./toCrm.ts";

const row = (app_field: string, crm_field: string, data_type: MappingRow["data_type"] = "string"): MappingRow => ({
  entity_type: "opportunities",
  app_field,
  crm_field,
  data_type,
  sync_direction: "bidirectional",
  is_required: false,
});

const TERMS: FilterTerms = {
  entity: "opportunities",
  mappings: [
    row("name", "dealname"),
    row("estimated_value", "amount", "number"),
    row("expected_close_date", "closedate", "date"),
    row("stage_key", "dealstage", "picklist"),
    row("client_contact", "street=address,city=city", "object"),
    row("custom_fields.flag", "flag", "boolean"),
    row("custom_fields.signed", "signed", "datetime"),
    { ...row("notes", "notes"), transform_function: "value" },
    { ...row("description", "description"), entity_type: "accounts" },
  ],
  stages: [
    { crm_pipeline_id: "p", crm_stage_id: "Won", stage_key: "won" },
    { crm_pipeline_id: "p", crm_stage_id: "1", stage_key: "lead" },
    { crm_pipeline_id: "q", crm_stage_id: "2", stage_key: "lead" },
    { crm_pipeline_id: "p", crm_stage_id: "3", stage_key: "proposal" },
    { crm_pipeline_id: "q", crm_stage_id: "3", stage_key: "lead" },
  ],
  currentUser: "77",
};

const translate = (stored: unknown, terms = TERMS) => toCrmFilter(parseFilter(stored), terms);
const is = (field: string, value: unknown) => ({ field, operator: "equals", value });

describe("a stored filter", () => {
  it("is all, any and conditions", () => {
    const stored = { all: [is("name", "x"), { any: [{ field: "name", operator: "empty" }] }] };
    expect(parseFilter(stored)).toEqual(stored);
  });

  it.each([
    ["nothing", null],
    ["a list", []],
    ["an empty group", { all: [] }],
    ["two groups at once", { all: [is("name", "x")], any: [is("name", "x")] }],
    ["an unknown operator", { field: "name", operator: "like", value: "x" }],
    ["an unknown key", { ...is("name", "x"), raw: "1=1" }],
    ["no value", { field: "name", operator: "equals" }],
    ["a value too many", { field: "name", operator: "empty", value: "x" }],
    ["a list for one value", is("name", ["x"])],
    ["one value for a list", { field: "name", operator: "in", value: "x" }],
    ["half a range", { field: "estimated_value", operator: "between", value: [1] }],
    ["an object as value", is("name", { toString: "x" })],
    ["an endless text", is("name", "x".repeat(256))],
    ["26 conditions", { all: [{ any: Array.from({ length: 25 }, () => is("name", "x")) }, is("name", "x")] }],
  ])("is refused when it holds %s", (_what, stored) => {
    expect(() => parseFilter(stored)).toThrow(CrmFailure);
  });

  it("is refused when it is nested too deep, however deep", () => {
    const nested = (depth: number) => {
      let filter: unknown = is("name", "x");
      for (let level = 1; level < depth; level += 1) filter = { all: [filter] };
      return filter;
    };
    expect(() => parseFilter(nested(5))).not.toThrow();
    expect(() => parseFilter(nested(6))).toThrow(/nested/);
    expect(() => parseFilter(nested(100_000))).toThrow(/nested/);
  });
});

describe("a filter in terms of the CRM", () => {
  it("names the CRM's fields and compares by the type of ours", () => {
    expect(translate(is("name", "x"))).toEqual({
      field: "dealname",
      type: "string",
      operator: "equals",
      values: ["x"],
    });
    expect(translate({ field: "estimated_value", operator: "between", value: [1, 2] })).toMatchObject({
      field: "amount",
      type: "number",
      values: [1, 2],
    });
    expect(translate(is("custom_fields.flag", true))).toMatchObject({ field: "flag", type: "boolean" });
  });

  it("asks all parts of an address", () => {
    expect(translate({ field: "client_contact", operator: "empty" })).toMatchObject({
      all: [{ field: "address" }, { field: "city" }],
    });
    expect(translate({ field: "client_contact", operator: "not_empty" })).toMatchObject({
      any: [{ field: "address" }, { field: "city" }],
    });
  });

  it("puts stages as the stages that mean them, with the pipeline where an id means two things", () => {
    expect(translate(is("stage_key", "lead"))).toEqual({
      any: [
        { field: "$stage", type: "string", operator: "in", values: ["1", "2"] },
        {
          all: [
            { field: "$stage", type: "string", operator: "equals", values: ["3"] },
            { field: "$pipeline", type: "string", operator: "equals", values: ["q"] },
          ],
        },
      ],
    });
    expect(translate({ field: "stage_key", operator: "not_equals", value: "won" })).toEqual({
      all: [{ field: "$stage", type: "string", operator: "not_in", values: ["Won"] }],
    });
  });

  it("means nothing by a stage that no stage of the CRM means", () => {
    expect(translate(is("stage_key", "on_hold"))).toEqual({ any: [] });
  });

  it("puts the person who connected for {current_user}", () => {
    expect(translate(is("owner", "{current_user}"))).toEqual({
      field: "$owner",
      type: "string",
      operator: "equals",
      values: ["77"],
    });
    expect(() => translate(is("owner", "{current_user}"), { ...TERMS, currentUser: null })).toThrow(/not among/);
    expect(translate(is("name", "{current_user}"))).toMatchObject({ values: ["{current_user}"] });
  });

  it.each([
    ["a field that is not mapped", is("lost_reason", "x"), /lost_reason of opportunities is not mapped/],
    ["a field of another entity", is("description", "x"), /not mapped/],
    ["a field that a transform computes", is("notes", "x"), /transform/],
    ["a field with a query in its name", is("name) OR (Id != null", "x"), /not mapped/],
    ["what the type has no answer to", { field: "estimated_value", operator: "contains", value: "1" }, /contains/],
    ["a text that is no number", is("estimated_value", "1"), /not a number/],
    ["a day that does not exist", is("expected_close_date", "2026-02-30"), /not a date/],
    ["an instant without a zone", is("custom_fields.signed", "2026-02-01T00:00:00"), /not an instant/],
  ])("is a clear refusal for %s", (_what, stored, why) => {
    expect(() => translate(stored)).toThrow(why);
  });
});

describe("excluded fields", () => {
  it("are those of the entity, and none where nothing is said", () => {
    const rules = { contacts: { exclude_fields: ["phone"] } };
    expect(excludedFields(rules, "contacts")).toEqual(["phone"]);
    expect(excludedFields(rules, "accounts")).toEqual([]);
    expect(excludedFields(null, "contacts")).toEqual([]);
  });
});
