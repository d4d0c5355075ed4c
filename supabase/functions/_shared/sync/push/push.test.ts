import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { runSlice } from "../slice.ts";
import {
  clockAt,
  crmWith,
  depsOf,
  type FakeClock,
  type FakeCrm,
  type FakeRun,
  fieldOf,
  newRun,
  trouble,
} from "../testing.ts";

let run: FakeRun;
let crm: FakeCrm;
let clock: FakeClock;
/** The worker has been killed; a new slice is a new worker. */
let dead = false;

beforeEach(() => {
  run = newRun();
  crm = crmWith({});
  clock = clockAt();
});

type More = NonNullable<Parameters<typeof depsOf>[3]>;
const PUSH: More = { claim: { phases: ["push"] } };
const INDUSTRIES = {
  type: "picklist",
  restricted: true,
  options: ["RETAIL", "REAL_ESTATE"].map((value) => ({ value, label: value })),
} as const;
const mapped = (crm_field: string, app_field: string) =>
  ({
    entity_type: "accounts",
    crm_field,
    app_field,
    data_type: "string",
    sync_direction: "bidirectional",
    is_required: false,
  }) as const;
const MAPPED: More = {
  claim: { phases: ["push"], mappings: [mapped("Name", "name"), mapped("Industry", "industry")] },
};
const slice = (more: More = PUSH) => runSlice(depsOf(run, crm, clock, more), { operation: "op", holder: "test" });
const names = () => crm.records.accounts.filter(({ deleted }) => !deleted).map(({ fields }) => fields.Name);
const company = (at: number) => ({ key: `key-${at}`, name: `Company ${at}` });

/** A record of ours that the CRM has as well. */
function linked(id: string, name: string): void {
  crm.records.accounts.push({ id, modifiedAt: "2026-01-01T00:00:00.000Z", deleted: false, fields: { Name: name } });
  const record = run.outbox.edit("accounts", `key-${id}`, { name }, id);
  record.queued = false;
}

function again(): void {
  Object.assign(run, { status: "queued", checkpoint: null });
}

/** New runs until nothing waits any more; what waits comes due in between. */
async function converge(more: More = PUSH): Promise<void> {
  for (let runs = 0; runs < 60; runs += 1) {
    dead = false;
    await slice(more).catch((error: unknown) => expect(error).toBeInstanceOf(Killed));
    clock.ms += 60_000;
    const open = run.outbox.ours.some(({ queued, notBefore }) => queued && Number.isFinite(notBefore));
    if (!open && run.status === "completed") return;
    if (run.status !== "running") again();
  }
  throw new Error("Pushing never came to an end.");
}

class Killed extends Error {}

describe("what is due here goes to the CRM", () => {
  it("in batches, created once and linked to what the CRM made", async () => {
    for (const at of [1, 2, 3]) run.outbox.edit("accounts", company(at).key, { name: company(at).name });
    expect(await slice()).toBe("finished");
    expect(crm.calls).toEqual(["create accounts 2", "create accounts 1"]);
    expect(names()).toEqual(["Company 1", "Company 2", "Company 3"]);
    expect(run.outbox.ours.every(({ crmId, queued }) => crmId !== null && !queued)).toBe(true);
  });

  it("parents before children", async () => {
    run.outbox.edit("opportunities", "deal", { name: "Deal" });
    run.outbox.edit("contacts", "person", { last_name: "Person" });
    run.outbox.edit("accounts", "firm", { name: "Firm" });
    await slice();
    expect(crm.calls).toEqual(["create accounts 1", "create contacts 1", "create opportunities 1"]);
  });

  it("after a look at the record there, which may have been edited as well", async () => {
    linked("a1", "Before");
    run.outbox.edit("accounts", "key-a1", { name: "Ours" });
    await slice();
    expect(crm.calls).toEqual(["fetch accounts 1", "update accounts 1"]);
    expect(names()).toEqual(["Ours"]);
  });

  it("not over an edit there that came first", async () => {
    linked("a1", "Before");
    run.outbox.edit("accounts", "key-a1", { name: "Ours" });
    if (crm.records.accounts[0]) crm.records.accounts[0].fields.Name = "Theirs";
    await slice();
    expect(crm.calls).toEqual(["fetch accounts 1"]);
    expect([names(), run.outbox.ours[0]?.values.name]).toEqual([["Theirs"], "Theirs"]);
  });

  it("not over a record that cannot be read as it is", async () => {
    linked("a1", "Before");
    run.outbox.edit("accounts", "key-a1", { name: "Ours" });
    if (crm.records.accounts[0]) crm.records.accounts[0].fields.Name = "x".repeat(300);
    await slice();
    expect(crm.calls).toEqual(["fetch accounts 1"]);
    expect(run.outbox.settled).toMatchObject([{ outcome: "failed", error: { kind: "rejected", code: "too_long" } }]);
  });

  it("nor to one that is gone there", async () => {
    linked("a1", "Before");
    run.outbox.edit("accounts", "key-a1", { name: "Ours" });
    crm.records.accounts = [];
    await slice();
    expect(crm.calls).toEqual(["fetch accounts 1"]);
    expect(run.pages.at(-1)?.records).toMatchObject([{ crm_id: "a1", deleted: true }]);
  });

  it("as a deletion", async () => {
    linked("a1", "Before");
    run.outbox.remove("key-a1");
    await slice();
    expect([crm.calls, names()]).toEqual([["delete accounts 1"], []]);
  });

  it("only as far as it was really sent", async () => {
    crm.fields = [fieldOf("Name", { readOnly: true })];
    linked("a1", "Before");
    run.outbox.edit("accounts", "key-a1", { name: "Ours" });
    await slice();
    expect(crm.calls).toEqual(["fetch accounts 1"]);
    expect(run.outbox.settled).toMatchObject([{ outcome: "written", sent: {} }]);
  });

  it("without the field that does not fit, which is said once and not tried for ever", async () => {
    crm.fields = [fieldOf("Name", { maxLength: 5 }), fieldOf("Industry", INDUSTRIES)];
    linked("a1", "Before");
    run.outbox.edit("accounts", "key-a1", { name: "Ours", industry: "Beekeeping" });
    await converge(MAPPED);
    expect([crm.calls, names()]).toEqual([["fetch accounts 1", "update accounts 1"], ["Ours"]]);
    expect(run.outbox.settled).toMatchObject([
      { outcome: "written", sent: { name: "Ours" }, problems: [{ code: "not_an_option", field: "Industry" }] },
    ]);
    expect(run.outbox.settled[0]?.problems?.[0]?.message).toMatch(/without Industry: .*"Beekeeping"; it offers RETAIL/);
    again();
    await slice(MAPPED);
    expect(crm.calls).toHaveLength(2);
  });

  it("even where none of its fields fits", async () => {
    crm.fields = [fieldOf("Name"), fieldOf("Industry", INDUSTRIES)];
    linked("a1", "Before");
    run.outbox.edit("accounts", "key-a1", { industry: "Beekeeping" });
    await slice(MAPPED);
    expect(crm.calls).toEqual(["fetch accounts 1"]);
    expect(run.outbox.settled).toMatchObject([{ outcome: "written", sent: {}, problems: [{ field: "Industry" }] }]);
  });

  it("in the CRM's spelling, which stays ours here when it is read back", async () => {
    crm.fields = [fieldOf("Name"), fieldOf("Industry", INDUSTRIES)];
    linked("a1", "Before");
    run.outbox.edit("accounts", "key-a1", { industry: "Real estate" });
    await slice(MAPPED);
    expect(crm.records.accounts[0]?.fields.Industry).toBe("REAL_ESTATE");
    run.outbox.markDirty("accounts", "a1");
    again();
    await slice({ claim: { ...MAPPED.claim, phases: ["dirty", "push"] } });
    expect(run.outbox.ours[0]?.values.industry).toBe("Real estate");
    expect(crm.calls.filter((name) => name.startsWith("update"))).toEqual(["update accounts 1"]);
  });

  it("less a relation that the CRM left out, which is not repeated for ever either", async () => {
    crm.fixed = ["contact"];
    const record = run.outbox.edit("opportunities", "deal", { name: "Deal", $contact: "c1", $company: "a1" });
    await slice();
    expect(run.outbox.settled).toMatchObject([{ outcome: "written", relations: { $company: "a1" } }]);
    expect(record.base).toEqual({ name: "Deal", $company: "a1" });
    again();
    await slice();
    expect(crm.calls).toEqual(["create opportunities 1"]);
  });

  it("and is refused here with a sentence where it does not fit", async () => {
    run.outbox.edit("accounts", "long", { name: "x".repeat(81) });
    run.outbox.edit("accounts", "good", { name: "Good" });
    expect(await slice()).toBe("finished");
    expect(names()).toEqual(["Good"]);
    expect(run.outbox.settled[0]?.error).toMatchObject({ kind: "rejected", code: "too_long", field: "Name" });
  });

  it("one bad record of a batch does not keep the others", async () => {
    run.outbox.edit("accounts", "key-1", { name: "One" });
    crm.fields = [fieldOf("Name"), fieldOf("Region", { required: true })];
    await slice();
    expect(run.outbox.settled[0]?.error?.message).toContain(
      "Salesforce needs Region, and nothing here is mapped to it",
    );
  });
});

describe("a slice's budget", () => {
  it("ends the slice between batches, and the next one pushes on without reading again", async () => {
    crm = crmWith({ accounts: 2 });
    for (const at of [1, 2, 3, 4, 5]) run.outbox.edit("accounts", company(at).key, { name: company(at).name });
    const more: More = { limits: { sliceRecords: 2 } };
    let slices = 1;
    while ((await slice(more)) === "handed_over") slices += 1;
    expect(slices).toBeGreaterThan(2);
    expect(crm.reads.filter((name) => name === "accounts@0")).toHaveLength(1);
    expect(run.status).toBe("completed");
    expect(names()).toHaveLength(7);
  });
});

describe("records that were named", () => {
  const DIRTY: More = { claim: { phases: ["dirty"] } };

  it("are fetched and merged, wherever the reader is", async () => {
    linked("a1", "Before");
    run.outbox.markDirty("accounts", "a1");
    if (crm.records.accounts[0]) crm.records.accounts[0].fields.Name = "Theirs";
    expect(await slice(DIRTY)).toBe("finished");
    expect(run.outbox.ours[0]?.values.name).toBe("Theirs");
    expect([run.outbox.dirty.size, run.pages[0]?.checkpoint]).toEqual([0, null]);
  });

  it("count as deleted when the CRM knows them no more", async () => {
    run.outbox.markDirty("accounts", "unknown");
    await slice(DIRTY);
    expect(run.pages[0]?.records).toMatchObject([{ crm_id: "unknown", deleted: true }]);
  });

  it("stay when they are named again meanwhile", async () => {
    linked("a1", "Before");
    run.outbox.markDirty("accounts", "a1");
    let named = 0;
    crm.onCall = () => {
      if (named === 0) run.outbox.markDirty("accounts", "a1");
      named += 1;
    };
    await slice(DIRTY);
    expect(crm.calls).toEqual(["fetch accounts 1", "fetch accounts 1"]);
    expect(run.outbox.dirty.size).toBe(0);
  });
});

describe("an answer that never came", () => {
  beforeEach(() => {
    run.outbox.edit("accounts", "key-1", { name: "One" });
  });

  it("to a create: not repeated, but looked up later and found", async () => {
    crm.losses.add("create accounts");
    expect(await slice()).toBe("handed_over");
    expect(await slice()).toBe("finished");
    expect(crm.calls).toEqual(["create accounts 1", "look up accounts 1"]);
    expect(names()).toEqual(["One"]);
    expect([...run.outbox.dirty.keys()]).toEqual(["accounts-new-0"]);
  });

  it("to a create that was not done: looked up, missed, and created", async () => {
    crm.troubles.set("create accounts", [trouble("transient")]);
    await slice();
    expect(await slice()).toBe("finished");
    expect(crm.calls).toEqual(["create accounts 1", "look up accounts 1", "create accounts 1"]);
    expect(names()).toEqual(["One"]);
  });

  it("to a create: looked up no earlier than the CRM would show it", async () => {
    crm.lookUpLagMs = 5_000;
    crm.losses.add("create accounts");
    await slice();
    await slice();
    expect(crm.calls).toEqual(["create accounts 1"]);
    expect(run.outbox.settled).toMatchObject([
      { outcome: "failed", retry_after_ms: 5_000, error: { code: "answer_lost" } },
    ]);
    await converge();
    expect(names()).toEqual(["One"]);
  });

  it("for certain: a create whose row failed for a passing reason is looked up as well", async () => {
    crm.unsure.add("One");
    expect(await slice()).toBe("finished");
    expect(run.outbox.settled).toMatchObject([{ outcome: "failed", error: { kind: "transient" } }]);
    await converge();
    expect(crm.calls).toEqual(["create accounts 1", "look up accounts 1"]);
    expect(names()).toEqual(["One"]);
  });

  it("to a create, where several records may be it: nothing is created until a person has cleared that up", async () => {
    for (const id of ["x", "y"])
      crm.records.accounts.push({
        id,
        modifiedAt: "2026-01-01T00:00:00.000Z",
        deleted: false,
        fields: { Name: "One" },
      });
    crm.troubles.set("create accounts", [trouble("transient")]);
    await slice();
    expect(await slice()).toBe("finished");
    expect(run.outbox.settled).toMatchObject([
      { outcome: "failed", error: { kind: "rejected", code: "lookup_ambiguous" } },
    ]);
    expect(run.outbox.settled[0]?.error?.message).toMatch(/^Salesforce did not answer .* not created a second time/);
    run.outbox.edit("accounts", "key-1", { name: "One" });
    await converge();
    expect(names()).toEqual(["One", "One"]);
    crm.records.accounts = crm.records.accounts.filter(({ id }) => id === "x");
    run.outbox.edit("accounts", "key-1", { name: "One" });
    await converge();
    expect([run.outbox.ours[0]?.crmId, names()]).toEqual(["x", ["One"]]);
    expect(crm.calls.filter((name) => name.startsWith("create"))).toHaveLength(1);
  });

  it("to an update or a deletion: repeated", async () => {
    await slice();
    again();
    run.outbox.edit("accounts", "key-1", { name: "Two" });
    crm.losses.add("update accounts");
    expect(await slice()).toBe("finished");
    again();
    run.outbox.remove("key-1");
    crm.losses.add("delete accounts");
    expect(await slice()).toBe("finished");
    expect(crm.calls.filter((name) => /^(update|delete)/.test(name))).toEqual([
      "update accounts 1",
      "update accounts 1",
      "delete accounts 1",
      "delete accounts 1",
    ]);
    expect(names()).toEqual([]);
  });

  it("is no reason to wait for a create that was refused for its rate", async () => {
    crm.troubles.set("create accounts", [trouble("rate_limited", { retryAfterMs: 2_000 })]);
    expect(await slice()).toBe("finished");
    expect([crm.calls.length, clock.slept, names()]).toEqual([2, [2_000], ["One"]]);
  });

  it("for many slices on end ends the run, and keeps what is due", async () => {
    crm.lookUpLagMs = 1;
    crm.onCall = () => {
      throw trouble("transient");
    };
    for (let slices = 0; slices < 20 && run.status !== "failed"; slices += 1) {
      for (const one of run.outbox.ours) one.notBefore = 0;
      clock.ms += 10;
      await slice();
    }
    expect(run.status).toBe("failed");
    expect(run.outbox.ours[0]?.queued).toBe(true);
  });
});

describe("trouble with the CRM while pushing", () => {
  beforeEach(() => {
    run.outbox.edit("accounts", "key-1", { name: "One" });
  });

  it("over a daily quota pauses the run", async () => {
    const until = "2026-11-22T00:00:00.000Z";
    crm.troubles.set("create accounts", [trouble("rate_limited", { retryAfterMs: 40_000_000, until })]);
    expect(await slice()).toBe("paused");
  });

  it("over access ends the run and marks the connection", async () => {
    crm.troubles.set("create accounts", [trouble("revoked")]);
    expect(await slice()).toBe("failed");
    expect(run.connectionReason).toBe("The CRM says revoked.");
  });

  it("over one entity leaves that entity out", async () => {
    crm.troubles.set("create accounts", [trouble("rejected", { code: "MISSING_SCOPES" })]);
    run.outbox.edit("contacts", "person", { last_name: "Person" });
    expect(await slice()).toBe("finished");
    expect(run.status).toBe("partial");
    expect(run.errors).toMatchObject([{ entity: "accounts", code: "MISSING_SCOPES" }]);
  });
});

describe("a cut at any moment", () => {
  const verbs = [
    "claim",
    "beginPush",
    "keepCheckpoint",
    "takeOutbound",
    "isUnchanged",
    "settleOutbound",
    "mergePage",
    "dueDirty",
    "settleDirty",
    "finish",
  ];
  const moments = verbs.flatMap((verb) => [verb, `${verb} committed`]);
  const calls = ["create", "update", "delete", "fetch", "look up"].flatMap((call) => [
    `${call} accounts`,
    `${call} accounts done`,
  ]);

  /** Dies at the nth time that something of this name happens, and does nothing more until the next slice. */
  function dieAt(name: string, nth: number): { cuts: () => number } {
    let seen = 0;
    let cuts = 0;
    const at = (now: string) => {
      if (now === name) seen += 1;
      if (now === name && seen === nth) {
        dead = true;
        cuts += 1;
      }
      if (dead) throw new Killed();
    };
    run.before = at;
    crm.onCall = at;
    return { cuts: () => cuts };
  }

  it("converges when run again, and creates nothing twice", async () => {
    const work = fc.array(fc.constantFrom("create", "update", "delete"), { minLength: 1, maxLength: 7 });
    let cut = 0;
    await fc.assert(
      fc.asyncProperty(
        work,
        fc.constantFrom(...moments, ...calls),
        fc.integer({ min: 1, max: 4 }),
        async (steps, name, nth) => {
          [run, crm, clock] = [newRun(), crmWith({}), clockAt()];
          for (const [at, step] of steps.entries()) {
            if (step === "create") run.outbox.edit("accounts", `new-${at}`, { name: `New ${at}` });
            else linked(`a${at}`, `Before ${at}`);
            if (step === "delete") run.outbox.remove(`key-a${at}`);
            if (step === "update") run.outbox.edit("accounts", `key-a${at}`, { name: `After ${at}` });
          }
          const { cuts } = dieAt(name, nth);
          await converge();
          await converge({ claim: { phases: ["dirty", "push"] } });
          const wanted = steps.flatMap((step, at) =>
            step === "delete" ? [] : [step === "create" ? `New ${at}` : `After ${at}`],
          );
          cut += cuts();
          expect(names().sort()).toEqual(wanted.sort());
        },
      ),
      { numRuns: 400, seed: 20261121 },
    );
    expect(cut).toBeGreaterThan(100);
  });
});
