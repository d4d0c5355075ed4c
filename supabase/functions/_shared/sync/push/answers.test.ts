import { beforeEach, describe, expect, it } from "vitest";
import { trouble } from "../testing.ts";
import { PushBed } from "./testing.bed.ts";

let bed: PushBed;

beforeEach(() => {
  bed = new PushBed();
});

describe("an answer that never came", () => {
  beforeEach(() => {
    bed.run.outbox.edit("accounts", "key-1", { name: "One" });
  });

  it("to a create: not repeated, but looked up later and found", async () => {
    bed.crm.losses.add("create accounts");
    expect(await bed.slice()).toBe("handed_over");
    expect(await bed.slice()).toBe("finished");
    expect(bed.crm.calls).toEqual(["create accounts 1", "look up accounts 1"]);
    expect(bed.names()).toEqual(["One"]);
    expect([...bed.run.outbox.dirty.keys()]).toEqual(["accounts-new-0"]);
  });

  it("to a create that was not done: looked up, missed, and created", async () => {
    bed.crm.troubles.set("create accounts", [trouble("transient")]);
    await bed.slice();
    expect(await bed.slice()).toBe("finished");
    expect(bed.crm.calls).toEqual(["create accounts 1", "look up accounts 1", "create accounts 1"]);
    expect(bed.names()).toEqual(["One"]);
  });

  it("to a create: looked up no earlier than the CRM would show it", async () => {
    bed.crm.lookUpLagMs = 5_000;
    bed.crm.losses.add("create accounts");
    await bed.slice();
    await bed.slice();
    expect(bed.crm.calls).toEqual(["create accounts 1"]);
    expect(bed.run.outbox.settled).toMatchObject([
      { outcome: "failed", retry_after_ms: 5_000, error: { code: "answer_lost" } },
    ]);
    await bed.converge();
    expect(bed.names()).toEqual(["One"]);
  });

  it("for certain: a create whose row failed for a passing reason is looked up as well", async () => {
    bed.crm.unsure.add("One");
    expect(await bed.slice()).toBe("finished");
    expect(bed.run.outbox.settled).toMatchObject([{ outcome: "failed", error: { kind: "transient" } }]);
    await bed.converge();
    expect(bed.crm.calls).toEqual(["create accounts 1", "look up accounts 1"]);
    expect(bed.names()).toEqual(["One"]);
  });

  it("to a create, where several records may be it: nothing is created until a person has cleared that up", async () => {
    for (const id of ["x", "y"])
      bed.crm.records.accounts.push({
        id,
        modifiedAt: "2026-01-01T00:00:00.000Z",
        deleted: false,
        fields: { Name: "One" },
      });
    bed.crm.troubles.set("create accounts", [trouble("transient")]);
    await bed.slice();
    expect(await bed.slice()).toBe("finished");
    expect(bed.run.outbox.settled).toMatchObject([
      { outcome: "failed", error: { kind: "rejected", code: "lookup_ambiguous" } },
    ]);
    expect(bed.run.outbox.settled[0]?.error?.message).toMatch(
      /^Salesforce did not answer .* not created a second time/,
    );
    bed.run.outbox.edit("accounts", "key-1", { name: "One" });
    await bed.converge();
    expect(bed.names()).toEqual(["One", "One"]);
    bed.crm.records.accounts = bed.crm.records.accounts.filter(({ id }) => id === "x");
    bed.run.outbox.edit("accounts", "key-1", { name: "One" });
    await bed.converge();
    expect([bed.run.outbox.ours[0]?.crmId, bed.names()]).toEqual(["x", ["One"]]);
    expect(bed.crm.calls.filter((name) => name.startsWith("create"))).toHaveLength(1);
  });

  it("to an update or a deletion: repeated", async () => {
    await bed.slice();
    bed.again();
    bed.run.outbox.edit("accounts", "key-1", { name: "Two" });
    bed.crm.losses.add("update accounts");
    expect(await bed.slice()).toBe("finished");
    bed.again();
    bed.run.outbox.remove("key-1");
    bed.crm.losses.add("delete accounts");
    expect(await bed.slice()).toBe("finished");
    expect(bed.crm.calls.filter((name) => /^(update|delete)/.test(name))).toEqual([
      "update accounts 1",
      "update accounts 1",
      "delete accounts 1",
      "delete accounts 1",
    ]);
    expect(bed.names()).toEqual([]);
  });

  it("is no reason to wait for a create that was refused for its rate", async () => {
    bed.crm.troubles.set("create accounts", [trouble("rate_limited", { retryAfterMs: 2_000 })]);
    expect(await bed.slice()).toBe("finished");
    expect([bed.crm.calls.length, bed.clock.slept, bed.names()]).toEqual([2, [2_000], ["One"]]);
  });

  it("for many slices on end ends the run, and keeps what is due", async () => {
    bed.crm.lookUpLagMs = 1;
    bed.crm.onCall = () => {
      throw trouble("transient");
    };
    for (let slices = 0; slices < 20 && bed.run.status !== "failed"; slices += 1) {
      for (const one of bed.run.outbox.ours) one.notBefore = 0;
      bed.clock.ms += 10;
      await bed.slice();
    }
    expect(bed.run.status).toBe("failed");
    expect(bed.run.outbox.ours[0]?.queued).toBe(true);
  });
});

describe("trouble with the CRM while pushing", () => {
  beforeEach(() => {
    bed.run.outbox.edit("accounts", "key-1", { name: "One" });
  });

  it("over a daily quota pauses the run", async () => {
    const until = "2026-11-22T00:00:00.000Z";
    bed.crm.troubles.set("create accounts", [trouble("rate_limited", { retryAfterMs: 40_000_000, until })]);
    expect(await bed.slice()).toBe("paused");
  });

  it("over access ends the run and marks the connection", async () => {
    bed.crm.troubles.set("create accounts", [trouble("revoked")]);
    expect(await bed.slice()).toBe("failed");
    expect(bed.run.connectionReason).toBe("The CRM says revoked.");
  });

  it("over one entity leaves that entity out", async () => {
    bed.crm.troubles.set("create accounts", [trouble("rejected", { code: "MISSING_SCOPES" })]);
    bed.run.outbox.edit("contacts", "person", { last_name: "Person" });
    expect(await bed.slice()).toBe("finished");
    expect(bed.run.status).toBe("partial");
    expect(bed.run.errors).toMatchObject([{ entity: "accounts", code: "MISSING_SCOPES" }]);
  });
});
