import { beforeEach, describe, expect, it } from "vitest";
import { DbFailure } from "../db/types.ts";
import { runSlice } from "./slice.ts";
import type { Claim } from "./store.ts";
import { clockAt, crmWith, depsOf, type FakeClock, type FakeCrm, type FakeRun, newRun, trouble } from "./testing.ts";

let run: FakeRun;
let crm: FakeCrm;
let clock: FakeClock;
const MANY = 9_500;
/** A run that changed records in the CRM as well, and one that did not. */
const BOTH: Partial<Claim> = { operation: "undo", phases: ["push"] };
const OURS: Partial<Claim> = { operation: "undo", phases: [] };

beforeEach(() => {
  run = newRun();
  crm = crmWith({});
  clock = clockAt();
  run.journal.size = MANY;
});

const slice = (claim: Partial<Claim>) => runSlice(depsOf(run, crm, clock, { claim }), { operation: "op", holder: "t" });

async function untilDone(claim: Partial<Claim>): Promise<number> {
  for (let slices = 1; slices < 50; slices += 1) if ((await slice(claim)) !== "handed_over") return slices;
  throw new Error("The undo never ended.");
}

describe("an undo", () => {
  it("takes back everything here before it touches the CRM", async () => {
    run.outbox.edit("accounts", "firm", { name: "Before" });
    crm.onCall = () => expect(run.journal.undone).toBe(MANY);
    expect(await slice(BOTH)).toBe("finished");
    expect([crm.calls, run.status]).toEqual([["create accounts 1"], "completed"]);
  });

  it("that has nothing to do in the CRM is an undo all the same", async () => {
    expect(await slice(OURS)).toBe("finished");
    expect([run.journal.undone, run.status, crm.reads, crm.calls]).toEqual([MANY, "completed", [], []]);
  });

  it("goes on in the next slice where its time was up, and not from the start", async () => {
    run.before = (verb) => {
      if (verb === "undoPage committed") clock.ms += 10_000;
    };
    run.outbox.edit("accounts", "firm", { name: "Before" });
    expect(await untilDone(BOTH)).toBe(2);
    expect([run.journal.undone, run.status]).toEqual([MANY, "completed"]);
    expect(crm.calls).toEqual(["create accounts 1"]);
  });

  it("does not go through the journal again once it is pushing", async () => {
    for (let at = 0; at < 6; at += 1) run.outbox.edit("accounts", `firm-${at}`, { name: `Before ${at}` });
    crm.onCall = () => {
      clock.ms += 30_000;
    };
    expect(await untilDone(BOTH)).toBeGreaterThan(2);
    expect(crm.records.accounts).toHaveLength(6);
  });

  it.each(["undoPage", "undoPage committed", "keepCheckpoint", "keepCheckpoint committed", "finish"])(
    "whose worker is killed at %s ends as one that was not",
    async (verb) => {
      class Killed extends Error {}
      let killed = false;
      let dead = false;
      run.before = (now) => {
        dead ||= now === verb && !killed;
        killed ||= dead;
        if (dead) throw new Killed();
      };
      for (let turn = 0; turn < 5 && run.status !== "completed"; turn += 1) {
        await slice(BOTH).catch((error: unknown) => expect(error).toBeInstanceOf(Killed));
        dead = false;
      }
      expect([killed, run.journal.undone, run.status]).toEqual([true, MANY, "completed"]);
    },
  );

  it("that another worker took over writes nothing more", async () => {
    run.before = (verb) => {
      if (verb === "undoPage committed") run.fence += 1;
    };
    expect(await slice(BOTH)).toBe("taken_over");
    expect(run.journal.undone).toBe(2_000);
  });

  it("sits out a deadlock", async () => {
    let failures = 0;
    run.before = (verb) => {
      if (verb === "undoPage" && failures < 2) {
        failures += 1;
        throw new DbFailure({ code: "40P01", message: "deadlock detected" });
      }
    };
    expect(await slice(OURS)).toBe("finished");
    expect(run.journal.undone).toBe(MANY);
  });

  it("that took long here has its tries with the CRM all the same", async () => {
    run.slice = 20;
    run.outbox.edit("accounts", "firm", { name: "Before" });
    crm.troubles.set(
      "create accounts",
      Array.from({ length: 8 }, () => trouble("transient", { retryAfterMs: 20_000 })),
    );
    expect(await slice(BOTH)).toBe("handed_over");
  });

  it.each([
    ["all of it", ["contacts"]],
    ["an entity", ["accounts", "contacts", "opportunities"]],
  ] satisfies [string, Claim["entities"]][])(
    "whose way to the CRM is refused, %s, ends and says what that means",
    async (_which, entities) => {
      run.outbox.edit("contacts", "person", { last_name: "Before" });
      crm.troubles.set("create contacts", [trouble("rejected")]);
      expect(await slice({ ...BOTH, entities })).toBe("finished");
      expect([run.status, run.journal.undone]).toEqual(["partial", MANY]);
      expect(run.errors).toMatchObject([{ entity: "contacts", kind: "rejected", message: "The CRM says rejected." }]);
      expect(run.message).toMatch(/^The CRM did not take everything back\..* undo this undo/);
    },
  );

  it.each([
    ["deletes a record there only after a look at it", true, ["fetch accounts 1", "delete accounts 1"]],
    ["finds on that look that it is gone already", false, ["fetch accounts 1"]],
  ])("%s", async (_story, isThere, calls) => {
    run.outbox.edit("accounts", "made", { name: "Made" }, "a1").queued = false;
    run.outbox.remove("made");
    if (isThere) crm = crmWith({ accounts: 1 });
    for (const record of crm.records.accounts) record.id = "a1";
    const deps = depsOf(run, crm, clock, { claim: BOTH });
    const { takeOutbound } = deps.store;
    deps.store.takeOutbound = async (ref, entity, limit, which) => {
      const { items, more } = await takeOutbound(ref, entity, limit, which);
      return { items: items.map((item) => ({ ...item, verify: which?.records === undefined })), more };
    };
    expect(await runSlice(deps, { operation: "op", holder: "t" })).toBe("finished");
    expect(crm.calls).toEqual(calls);
  });
});
