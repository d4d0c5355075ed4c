import { beforeEach, describe, expect, it } from "vitest";
import type { MappingRow } from "./mapping/plan.ts";
import { runSlice } from "./slice.ts";
import type { Claim } from "./store.ts";
import { clockAt, crmWith, depsOf, type FakeCrm, type FakeRun, fieldOf, newRun } from "./testing.ts";

let run: FakeRun;
let crm: FakeCrm;

const row = (crm_field: string, app_field: string, more: Partial<MappingRow> = {}): MappingRow => ({
  entity_type: "accounts",
  crm_field,
  app_field,
  data_type: "string",
  sync_direction: "bidirectional",
  is_required: false,
  ...more,
});
const MAPPINGS = [
  row("Name", "name"),
  row("Gone__c", "industry"),
  row("street=Street,city=Lost__c", "custom_fields.address", { sync_direction: "push" }),
  row("Read__c", "description", { sync_direction: "pull" }),
  row("Excluded__c", "notes"),
];
const PUSH: Partial<Claim> = {
  phases: ["push"],
  mappings: MAPPINGS,
  settings: {
    sync_rules: { accounts: { exclude_fields: ["notes"] } },
    conflict_resolution: "crm_wins",
    sync_direction: "push",
  },
};

beforeEach(() => {
  run = newRun();
  crm = crmWith({});
  crm.fields = [fieldOf("Name"), fieldOf("Street")];
});
const push = () => runSlice(depsOf(run, crm, clockAt(), { claim: PUSH }), { operation: "op", holder: "t" });

describe("a mapped field that is gone from the CRM", () => {
  it("is named when changes go there, once each, and everything else goes", async () => {
    run.outbox.edit("accounts", "firm", { name: "Firm", industry: "Steel" });
    expect(await push()).toBe("finished");
    expect(crm.records.accounts[0]?.fields).toEqual({ Name: "Firm" });
    expect(run.status).toBe("partial");
    expect(run.errors.map(({ code }) => code)).toEqual(["missing_field:Gone__c", "missing_field:Lost__c"]);
    expect(run.errors[0]).toMatchObject({ entity: "accounts", kind: "rejected" });
    expect(run.errors[0]?.message).toMatch(/no longer has the field Gone__c.* mapping to industry is passed over/);
    expect(run.errors[1]?.message).toContain("mapping to custom_fields.address");
  });

  it("is nobody's trouble while nothing is to go there", async () => {
    expect(await push()).toBe("finished");
    expect([run.errors, run.status]).toEqual([[], "completed"]);
  });
});

describe("a relation that the CRM lets nobody set", () => {
  it("is told, and does not count as sent", async () => {
    crm.fixed = ["contact"];
    run.outbox.edit("opportunities", "deal", { name: "Deal", $contact: "c1", $company: "a1" });
    const deps = depsOf(run, crm, clockAt(), { claim: { phases: ["push"] } });
    expect(await runSlice(deps, { operation: "op", holder: "t" })).toBe("finished");
    expect(run.outbox.settled).toMatchObject([
      { outcome: "written", relations: { $company: "a1" }, problems: [{ code: "relation_not_set" }] },
    ]);
    expect(run.outbox.settled[0]?.problems?.[0]?.message).toContain("without its contact");
  });
});
