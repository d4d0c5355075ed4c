import { describe, expect, it } from "vitest";
import type { CrmRecord } from "../../crm/contract.ts";
import { fieldOf } from "../testing.crm.ts";
import type { MappingRow } from "./plan.ts";
import { openPreview } from "./preview.ts";
import { unmappedRequired } from "./required.ts";

const row = (crm_field: string, app_field: string, more: Partial<MappingRow> = {}): MappingRow => ({
  entity_type: "opportunities",
  crm_field,
  app_field,
  data_type: "string",
  sync_direction: "bidirectional",
  is_required: false,
  ...more,
});
const FIELDS = [
  fieldOf("Name", { required: true }),
  fieldOf("StageName", { type: "picklist", required: true }),
  fieldOf("Amount", { type: "number" }),
  fieldOf("NextStep", { maxLength: 5 }),
  fieldOf("CloseDate", { type: "date" }),
];
const ROWS = [
  row("Name", "name"),
  row("StageName", "stage_key"),
  row("Amount", "estimated_value"),
  row("NextStep", "next_steps", { sync_direction: "push" }),
  row("CloseDate", "actual_close_date", { sync_direction: "pull" }),
];
const STAGES = [
  { crm_pipeline_id: "", crm_stage_id: "Prospecting", stage_key: "prospect" },
  { crm_pipeline_id: "", crm_stage_id: "Won", stage_key: "won" },
];
const deal = (fields: Record<string, unknown>, more: Partial<CrmRecord> = {}): CrmRecord => ({
  id: "006",
  modifiedAt: "2026-01-01T00:00:00Z",
  deleted: false,
  fields: {
    Name: "Bridge",
    StageName: "Prospecting",
    Amount: 100,
    NextStep: "Call",
    CloseDate: "2026-03-01",
    ...fields,
  },
  stage: { pipeline: "", id: String(fields.StageName ?? "Prospecting") },
  ...more,
});
const OURS = {
  record_id: "r1",
  name: "Bridge",
  fields: { name: "Bridge", stage_key: "won", estimated_value: 250, next_steps: "Sign", actual_close_date: null },
};
const view = (exclude: string[] = []) =>
  openPreview(
    { entity: "opportunities", mappings: ROWS, stages: STAGES, fields: FIELDS },
    { crmName: "Salesforce", exclude },
  );

describe("a preview of a mapping", () => {
  it("asks the CRM for what is read and for what would be overwritten", () => {
    expect(view().crmFields.sort()).toEqual(["Amount", "CloseDate", "Name", "NextStep", "StageName"]);
    expect(view(["next_steps", "estimated_value"]).crmFields).not.toContain("NextStep");
  });

  it("shows each field on its way here: raw, ours now, ours after", () => {
    const { pull } = view().show(deal({ Amount: "1,000" }), OURS);
    expect(pull).toMatchObject({ action: "update", problem: null });
    expect(pull?.fields).toEqual([
      { crm_field: "Name", app_field: "name", raw: "Bridge", before: "Bridge", after: "Bridge", error: null },
      {
        crm_field: "StageName",
        app_field: "stage_key",
        raw: "Prospecting",
        before: "won",
        after: "prospect",
        error: null,
      },
      { crm_field: "Amount", app_field: "estimated_value", raw: "1,000", before: 250, after: 1000, error: null },
      // Of a deal that is open: it has no closing date.
      {
        crm_field: "CloseDate",
        app_field: "actual_close_date",
        raw: "2026-03-01",
        before: null,
        after: null,
        error: null,
      },
    ]);
  });

  it("shows each field on its way there: ours, the CRM's now, the CRM's after", () => {
    const { push } = view().show(deal({}), OURS);
    expect(push).toMatchObject({ action: "update", problem: null });
    expect(push?.fields).toEqual([
      { app_field: "name", crm_field: "Name", value: "Bridge", before: "Bridge", after: "Bridge", error: null },
      {
        app_field: "stage_key",
        crm_field: "StageName",
        value: "won",
        before: "Prospecting",
        after: "Won",
        error: null,
      },
      { app_field: "estimated_value", crm_field: "Amount", value: 250, before: 100, after: 250, error: null },
      { app_field: "next_steps", crm_field: "NextStep", value: "Sign", before: "Call", after: "Sign", error: null },
    ]);
  });

  it("says of each field why it does not fit, and shows the others all the same", () => {
    const ours = { ...OURS, fields: { ...OURS.fields, next_steps: "Sign it", stage_key: "paused" } };
    const { pull, push } = view().show(deal({ Amount: "lots" }), ours);
    expect(pull).toMatchObject({ action: "refused", problem: { code: "not_a_number", field: "Amount" } });
    expect(pull?.fields.map(({ error }) => error?.code ?? null)).toEqual([null, null, "not_a_number", null]);
    expect(pull?.fields[2]).toMatchObject({ before: 250, after: 250 });
    expect(push?.action).toBe("update");
    expect(push?.fields.map(({ error }) => error?.code ?? null)).toEqual([null, "unmapped_stage", null, "too_long"]);
    expect(push?.fields[2]).toMatchObject({ after: 250 });
  });

  it("tells new records from known ones, and deleted from live", () => {
    expect(view().show(deal({}), null)).toMatchObject({ record_id: null, pull: { action: "create" }, push: null });
    expect(view().show(null, OURS)).toMatchObject({ crm_id: null, pull: null, push: { action: "create" } });
    expect(view().show(deal({}, { deleted: true }), OURS)).toMatchObject({
      pull: { action: "delete", fields: [] },
      push: null,
    });
  });

  it("says what the CRM needs of a new record", () => {
    const nameless = { ...OURS, fields: { ...OURS.fields, name: "" } };
    expect(view().show(null, nameless).push).toMatchObject({
      action: "refused",
      problem: { code: "required_missing" },
    });
  });
});

describe("required fields without a mapping", () => {
  const missing = (rows: MappingRow[]) =>
    unmappedRequired("opportunities", FIELDS, rows).map((one) => `${one.side} ${one.field}`);

  it("are those of both sides that no mapping of that direction fills", () => {
    expect(missing(ROWS)).toEqual([]);
    expect(missing([])).toEqual(["crm Name", "crm StageName", "app name", "app stage_key"]);
    expect(missing([row("Name", "name", { sync_direction: "pull" }), row("StageName", "stage_key")])).toEqual([
      "crm Name",
    ]);
    expect(missing([row("Name", "name", { sync_direction: "push" }), row("StageName", "stage_key")])).toEqual([
      "app name",
    ]);
  });

  it("of a person: a name or an e-mail address", () => {
    const contact = (app_field: string) => row("X", app_field, { entity_type: "contacts" });
    expect(unmappedRequired("contacts", [], [contact("title")])).toEqual([{ side: "app", field: "last_name" }]);
    for (const name of ["first_name", "last_name", "email"])
      expect(unmappedRequired("contacts", [], [contact(name)])).toEqual([]);
  });
});
