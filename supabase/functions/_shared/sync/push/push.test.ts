import { beforeEach, describe, expect, it } from "vitest";
import { crmWith, fieldOf } from "../testing.ts";
import { company, type More, mapped, PushBed } from "./testing.bed.ts";

const INDUSTRIES = {
  type: "picklist",
  restricted: true,
  options: ["RETAIL", "REAL_ESTATE"].map((value) => ({ value, label: value })),
} as const;
const MAPPED: More = {
  claim: { phases: ["push"], mappings: [mapped("Name", "name"), mapped("Industry", "industry")] },
};

let bed: PushBed;

beforeEach(() => {
  bed = new PushBed();
});

describe("what is due here goes to the CRM", () => {
  it("in batches, created once and linked to what the CRM made", async () => {
    for (const at of [1, 2, 3]) bed.run.outbox.edit("accounts", company(at).key, { name: company(at).name });
    expect(await bed.slice()).toBe("finished");
    expect(bed.crm.calls).toEqual(["create accounts 2", "create accounts 1"]);
    expect(bed.names()).toEqual(["Company 1", "Company 2", "Company 3"]);
    expect(bed.run.outbox.ours.every(({ crmId, queued }) => crmId !== null && !queued)).toBe(true);
  });

  it("parents before children", async () => {
    bed.run.outbox.edit("opportunities", "deal", { name: "Deal" });
    bed.run.outbox.edit("contacts", "person", { last_name: "Person" });
    bed.run.outbox.edit("accounts", "firm", { name: "Firm" });
    await bed.slice();
    expect(bed.crm.calls).toEqual(["create accounts 1", "create contacts 1", "create opportunities 1"]);
  });

  it("after a look at the record there, which may have been edited as well", async () => {
    bed.linked("a1", "Before");
    bed.run.outbox.edit("accounts", "key-a1", { name: "Ours" });
    await bed.slice();
    expect(bed.crm.calls).toEqual(["fetch accounts 1", "update accounts 1"]);
    expect(bed.names()).toEqual(["Ours"]);
  });

  it("not over an edit there that came first", async () => {
    bed.linked("a1", "Before");
    bed.run.outbox.edit("accounts", "key-a1", { name: "Ours" });
    if (bed.crm.records.accounts[0]) bed.crm.records.accounts[0].fields.Name = "Theirs";
    await bed.slice();
    expect(bed.crm.calls).toEqual(["fetch accounts 1"]);
    expect([bed.names(), bed.run.outbox.ours[0]?.values.name]).toEqual([["Theirs"], "Theirs"]);
  });

  it("not over a record that cannot be read as it is", async () => {
    bed.linked("a1", "Before");
    bed.run.outbox.edit("accounts", "key-a1", { name: "Ours" });
    if (bed.crm.records.accounts[0]) bed.crm.records.accounts[0].fields.Name = "x".repeat(300);
    await bed.slice();
    expect(bed.crm.calls).toEqual(["fetch accounts 1"]);
    expect(bed.run.outbox.settled).toMatchObject([
      { outcome: "failed", error: { kind: "rejected", code: "too_long" } },
    ]);
  });

  it("nor to one that is gone there", async () => {
    bed.linked("a1", "Before");
    bed.run.outbox.edit("accounts", "key-a1", { name: "Ours" });
    bed.crm.records.accounts = [];
    await bed.slice();
    expect(bed.crm.calls).toEqual(["fetch accounts 1"]);
    expect(bed.run.pages.at(-1)?.records).toMatchObject([{ crm_id: "a1", deleted: true }]);
  });

  it("as a deletion", async () => {
    bed.linked("a1", "Before");
    bed.run.outbox.remove("key-a1");
    await bed.slice();
    expect([bed.crm.calls, bed.names()]).toEqual([["delete accounts 1"], []]);
  });

  it("only as far as it was really sent", async () => {
    bed.crm.fields = [fieldOf("Name", { readOnly: true })];
    bed.linked("a1", "Before");
    bed.run.outbox.edit("accounts", "key-a1", { name: "Ours" });
    await bed.slice();
    expect(bed.crm.calls).toEqual(["fetch accounts 1"]);
    expect(bed.run.outbox.settled).toMatchObject([{ outcome: "written", sent: {} }]);
  });

  it("without the field that does not fit, which is said once and not tried for ever", async () => {
    bed.crm.fields = [fieldOf("Name", { maxLength: 5 }), fieldOf("Industry", INDUSTRIES)];
    bed.linked("a1", "Before");
    bed.run.outbox.edit("accounts", "key-a1", { name: "Ours", industry: "Beekeeping" });
    await bed.converge(MAPPED);
    expect([bed.crm.calls, bed.names()]).toEqual([["fetch accounts 1", "update accounts 1"], ["Ours"]]);
    expect(bed.run.outbox.settled).toMatchObject([
      { outcome: "written", sent: { name: "Ours" }, problems: [{ code: "not_an_option", field: "Industry" }] },
    ]);
    expect(bed.run.outbox.settled[0]?.problems?.[0]?.message).toMatch(
      /without Industry: .*"Beekeeping"; it offers RETAIL/,
    );
    bed.again();
    await bed.slice(MAPPED);
    expect(bed.crm.calls).toHaveLength(2);
  });

  it("even where none of its fields fits", async () => {
    bed.crm.fields = [fieldOf("Name"), fieldOf("Industry", INDUSTRIES)];
    bed.linked("a1", "Before");
    bed.run.outbox.edit("accounts", "key-a1", { industry: "Beekeeping" });
    await bed.slice(MAPPED);
    expect(bed.crm.calls).toEqual(["fetch accounts 1"]);
    expect(bed.run.outbox.settled).toMatchObject([{ outcome: "written", sent: {}, problems: [{ field: "Industry" }] }]);
  });

  it("in the CRM's spelling, which stays ours here when it is read back", async () => {
    bed.crm.fields = [fieldOf("Name"), fieldOf("Industry", INDUSTRIES)];
    bed.linked("a1", "Before");
    bed.run.outbox.edit("accounts", "key-a1", { industry: "Real estate" });
    await bed.slice(MAPPED);
    expect(bed.crm.records.accounts[0]?.fields.Industry).toBe("REAL_ESTATE");
    bed.run.outbox.markDirty("accounts", "a1");
    bed.again();
    await bed.slice({ claim: { ...MAPPED.claim, phases: ["dirty", "push"] } });
    expect(bed.run.outbox.ours[0]?.values.industry).toBe("Real estate");
    expect(bed.crm.calls.filter((name) => name.startsWith("update"))).toEqual(["update accounts 1"]);
  });

  it("less a relation that the CRM left out, which is not repeated for ever either", async () => {
    bed.crm.fixed = ["contact"];
    const record = bed.run.outbox.edit("opportunities", "deal", { name: "Deal", $contact: "c1", $company: "a1" });
    await bed.slice();
    expect(bed.run.outbox.settled).toMatchObject([{ outcome: "written", relations: { $company: "a1" } }]);
    expect(record.base).toEqual({ name: "Deal", $company: "a1" });
    bed.again();
    await bed.slice();
    expect(bed.crm.calls).toEqual(["create opportunities 1"]);
  });

  it("and is refused here with a sentence where it does not fit", async () => {
    bed.run.outbox.edit("accounts", "long", { name: "x".repeat(81) });
    bed.run.outbox.edit("accounts", "good", { name: "Good" });
    expect(await bed.slice()).toBe("finished");
    expect(bed.names()).toEqual(["Good"]);
    expect(bed.run.outbox.settled[0]?.error).toMatchObject({ kind: "rejected", code: "too_long", field: "Name" });
  });

  it("one bad record of a batch does not keep the others", async () => {
    bed.run.outbox.edit("accounts", "key-1", { name: "One" });
    bed.crm.fields = [fieldOf("Name"), fieldOf("Region", { required: true })];
    await bed.slice();
    expect(bed.run.outbox.settled[0]?.error?.message).toContain(
      "Salesforce needs Region, and nothing here is mapped to it",
    );
  });
});

describe("a slice's budget", () => {
  it("ends the slice between batches, and the next one pushes on without reading again", async () => {
    bed.crm = crmWith({ accounts: 2 });
    for (const at of [1, 2, 3, 4, 5]) bed.run.outbox.edit("accounts", company(at).key, { name: company(at).name });
    const more: More = { limits: { sliceRecords: 2 } };
    let slices = 1;
    while ((await bed.slice(more)) === "handed_over") slices += 1;
    expect(slices).toBeGreaterThan(2);
    expect(bed.crm.reads.filter((name) => name === "accounts@0")).toHaveLength(1);
    expect(bed.run.status).toBe("completed");
    expect(bed.names()).toHaveLength(7);
  });
});

describe("records that were named", () => {
  const DIRTY: More = { claim: { phases: ["dirty"] } };

  it("are fetched and merged, wherever the reader is", async () => {
    bed.linked("a1", "Before");
    bed.run.outbox.markDirty("accounts", "a1");
    if (bed.crm.records.accounts[0]) bed.crm.records.accounts[0].fields.Name = "Theirs";
    expect(await bed.slice(DIRTY)).toBe("finished");
    expect(bed.run.outbox.ours[0]?.values.name).toBe("Theirs");
    expect([bed.run.outbox.dirty.size, bed.run.pages[0]?.checkpoint]).toEqual([0, null]);
  });

  it("count as deleted when the CRM knows them no more", async () => {
    bed.run.outbox.markDirty("accounts", "unknown");
    await bed.slice(DIRTY);
    expect(bed.run.pages[0]?.records).toMatchObject([{ crm_id: "unknown", deleted: true }]);
  });

  it("stay when they are named again meanwhile", async () => {
    bed.linked("a1", "Before");
    bed.run.outbox.markDirty("accounts", "a1");
    let named = 0;
    bed.crm.onCall = () => {
      if (named === 0) bed.run.outbox.markDirty("accounts", "a1");
      named += 1;
    };
    await bed.slice(DIRTY);
    expect(bed.crm.calls).toEqual(["fetch accounts 1", "fetch accounts 1"]);
    expect(bed.run.outbox.dirty.size).toBe(0);
  });
});
