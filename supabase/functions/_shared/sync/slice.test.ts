import { beforeEach, describe, expect, it } from "vitest";
import { DbFailure } from "../db/types.ts";
import { runSlice } from "./slice.ts";
import { clockAt, crmWith, depsOf, type FakeClock, type FakeCrm, type FakeRun, newRun, trouble } from "./testing.ts";

let run: FakeRun;
let crm: FakeCrm;
let clock: FakeClock;
const COUNTS = { accounts: 5, contacts: 4, opportunities: 3 };
const ALL = 12;
const CONTACTS_SECOND_PAGE = "contacts@2";

beforeEach(() => {
  run = newRun();
  crm = crmWith(COUNTS);
  clock = clockAt();
});

type More = Parameters<typeof depsOf>[3];
const slice = (more?: More) => runSlice(depsOf(run, crm, clock, more), { operation: "op", holder: "test" });

async function untilDone(more?: More): Promise<number> {
  for (let slices = 1; slices < 100; slices += 1) {
    const ending = await slice(more);
    if (ending !== "handed_over") return slices;
  }
  throw new Error("The run never ended.");
}

describe("a first sync", () => {
  it("merges everything once, parents before children, and ends completed", async () => {
    expect(await slice()).toBe("finished");
    expect(run).toMatchObject({ status: "completed", message: null, totals: COUNTS });
    expect([...run.merged.values()].every((times) => times === 1)).toBe(true);
    expect(run.merged.size).toBe(ALL);
    expect(run.pages.map((page) => page.entity)).toEqual([...run.pages.map((page) => page.entity)].sort());
  });

  it("keeps the high water of an entity with its last page only", async () => {
    await slice();
    expect(run.pages.filter((page) => page.cursor !== null)).toHaveLength(3);
    expect(run.cursors.get("accounts")).toEqual({ modified_at: "2026-01-01T00:00:04.000Z", id: "accounts-4" });
  });

  it("merges an empty page of an entity without records, so that the run moves on", async () => {
    crm = crmWith({});
    expect(await slice()).toBe("finished");
    expect(run.pages.map((page) => [page.entity, page.records.length])).toEqual([
      ["accounts", 0],
      ["contacts", 0],
      ["opportunities", 0],
    ]);
  });

  it("keeps what a provider notes beside the high water, for the next one", async () => {
    const deletions = { readAt: "2026-01-02T00:00:00.000Z", calls: 7, upTo: "2026-01-01T00:00:00.000Z" };
    const asked: unknown[] = [];
    const deps = depsOf(run, crm, clock);
    const { provider } = deps;
    deps.provider = (id) => {
      const real = provider(id);
      const readPage: typeof real.readPage = async (session, request) => {
        asked.push(request.since?.deletions);
        const page = await real.readPage(session, request);
        return { ...page, highWater: page.highWater && { ...page.highWater, deletions } };
      };
      return { ...real, readPage };
    };
    await runSlice(deps, { operation: "op", holder: "test" });
    const first = asked.length;
    run.status = "queued";
    run.checkpoint = null;
    await runSlice(deps, { operation: "op", holder: "test" });
    expect([asked[0], asked[first]]).toEqual([undefined, deletions]);
  });

  it("asks for deletions where it is the first no more", async () => {
    const asked: (boolean | undefined)[] = [];
    crm.onRead = async (_name, { again }) => void asked.push(again);
    await slice();
    run = Object.assign(newRun(), { wasLinked: true });
    await slice();
    expect([new Set(asked.slice(0, asked.length / 2)), new Set(asked.slice(asked.length / 2))]).toEqual([
      new Set([false]),
      new Set([true]),
    ]);
  });

  it("reads the next page while it merges this one", async () => {
    let readDuringMerge = false;
    run.before = (verb) => {
      if (verb === "mergePage" && run.pages.length === 0) readDuringMerge = crm.reads.includes("accounts@2");
    };
    await slice({ limits: { mergeRecords: 2 } });
    expect(readDuringMerge).toBe(true);
  });

  it("merges small pages together when the CRM is faster than the database", async () => {
    const deps = depsOf(run, crm, clock, { limits: { mergeRecords: 1_000 } });
    const { mergePage } = deps.store;
    deps.store.mergePage = async (ref, page) => {
      await new Promise((resolve) => setImmediate(resolve));
      return mergePage(ref, page);
    };
    await runSlice(deps, { operation: "op", holder: "test" });
    expect(run.pages.map((page) => page.records.length)).toEqual([2, 3, 2, 2, 2, 1]);
  });

  it("reads only what changed the next time", async () => {
    await slice();
    run.status = "queued";
    run.checkpoint = null;
    run.merged.clear();
    expect(await slice()).toBe("finished");
    expect([...run.merged.keys()]).toEqual(["accounts-4", "contacts-3", "opportunities-2"]);
  });

  it("says that a record does not fit and goes on with the others", async () => {
    const third = crm.records.accounts[2];
    if (third) third.fields.Name = "x".repeat(300);
    expect(await slice()).toBe("finished");
    expect(run.merged.size).toBe(ALL - 1);
    expect(run.rejected.get("accounts-2")).toMatch(/300 characters; at most 255 fit/);
  });

  it("does not pretend when its direction and the connection's leave nothing to do", async () => {
    expect(await slice({ claim: { phases: [] } })).toBe("failed");
    expect(run.message).toMatch(/leave nothing to do/);
    expect(crm.reads).toEqual([]);
  });

  it("reads nothing and counts nothing when it goes to the CRM only", async () => {
    expect(await slice({ claim: { phases: ["push"] } })).toBe("finished");
    expect([crm.reads, run.totals]).toEqual([[], null]);
  });
});

describe("a slice's budget", () => {
  it("ends the slice between pages, and the next one goes on there", async () => {
    crm.onRead = () => {
      clock.ms += 10_000;
    };
    const slices = await untilDone();
    expect(slices).toBeGreaterThan(1);
    expect(run.status).toBe("completed");
    expect([...run.merged.values()].every((times) => times === 1)).toBe(true);
    expect(run.merged.size).toBe(ALL);
  });

  it("is also one of records", async () => {
    expect(await untilDone({ limits: { sliceRecords: 2 } })).toBeGreaterThan(3);
    expect(run.merged.size).toBe(ALL);
  });

  it("lets even a page that takes longer than the budget get somewhere", async () => {
    crm.onRead = () => {
      clock.ms += 60_000;
    };
    await untilDone();
    expect(run.status).toBe("completed");
  });
});

describe("a crash", () => {
  const verbs = ["claim", "upsertOwners", "setTotals", "mergePage", "mergePage committed", "finish", "handOver"];
  const moments = verbs.flatMap((verb) => [1, 2, 3, 4].map((nth) => [verb, nth] as const));

  it.each(moments)("at %s, time %i, costs at most one page done again", async (verb, nth) => {
    class Killed extends Error {}
    let seen = 0;
    let dead = false;
    run.before = (now) => {
      if (now === verb) seen += 1;
      if (dead || (now === verb && seen === nth)) {
        dead = true;
        throw new Killed();
      }
    };
    const more = { limits: { sliceRecords: 4 } };
    for (let turn = 0; turn < 20 && run.status !== "completed"; turn += 1) {
      await slice(more).catch((error: unknown) => expect(error).toBeInstanceOf(Killed));
      dead = false;
    }
    expect(run.status).toBe("completed");
    expect(run.merged.size).toBe(ALL);
    const again = [...run.merged.values()].filter((times) => times > 1);
    expect(again.length).toBeLessThanOrEqual(crm.pageSize);
  });

  it("of the worker while another took over: the first writes nothing more, and quietly stops", async () => {
    crm.onRead = (name) => {
      if (name === CONTACTS_SECOND_PAGE) run.fence += 1;
    };
    expect(await slice()).toBe("taken_over");
    expect(run.status).toBe("running");
    expect(run.merged.has("contacts-2")).toBe(false);
  });

  it("is told from a cancelled run, which also just stops", async () => {
    crm.onRead = (name) => {
      if (name === CONTACTS_SECOND_PAGE) run.status = "cancelled";
    };
    expect(await slice()).toBe("taken_over");
    expect(run.status).toBe("cancelled");
  });
});

describe("trouble with the CRM", () => {
  it("that passes is sat out inside the slice, with growing pauses", async () => {
    crm.troubles.set(CONTACTS_SECOND_PAGE, [trouble("transient"), trouble("transient"), trouble("transient")]);
    expect(await slice()).toBe("finished");
    expect(run.status).toBe("completed");
    expect(clock.slept).toEqual([375, 750, 1500]);
  });

  it("that lasts goes to the next slices, noted, and ends the run as failed after several without progress", async () => {
    crm.troubles.set(
      CONTACTS_SECOND_PAGE,
      Array.from({ length: 100 }, () => trouble("transient")),
    );
    const slices = await untilDone();
    expect(slices).toBe(7);
    expect(run.status).toBe("failed");
    expect(run.message).toMatch(/^The CRM says transient\. Given up after 6 tries/);
    expect(run.errors[0]).toMatchObject({ kind: "transient" });
    expect(run.merged.size).toBe(COUNTS.accounts + 2);
  });

  it("with a short limit waits as long as it was told", async () => {
    crm.troubles.set(CONTACTS_SECOND_PAGE, [trouble("rate_limited", { retryAfterMs: 10_000 })]);
    expect(await slice()).toBe("finished");
    expect(clock.slept).toEqual([10_000]);
  });

  it("with a short limit at the end of the slice lets the next one wait", async () => {
    crm.onRead = (name) => {
      if (name === CONTACTS_SECOND_PAGE) clock.ms += 20_000;
    };
    crm.troubles.set(CONTACTS_SECOND_PAGE, [trouble("rate_limited", { retryAfterMs: 10_000 })]);
    expect(await slice()).toBe("handed_over");
  });

  it("with a daily quota pauses until the stated time, and keeps the connection", async () => {
    const until = "2026-11-21T14:00:00.000Z";
    crm.troubles.set(CONTACTS_SECOND_PAGE, [trouble("rate_limited", { retryAfterMs: 7_200_000, until })]);
    expect(await slice()).toBe("paused");
    expect(run).toMatchObject({ status: "paused", resumeAt: "2026-11-21T14:00:30.000Z", connectionReason: null });
  });

  it("over access ends the run and marks the connection", async () => {
    crm.troubles.set(CONTACTS_SECOND_PAGE, [trouble("revoked")]);
    expect(await slice()).toBe("failed");
    expect(run).toMatchObject({ status: "failed", connectionReason: "The CRM says revoked." });
  });

  it("over one entity leaves that entity out, and the run is no success", async () => {
    crm.troubles.set("contacts@0", [trouble("rejected", { code: "INSUFFICIENT_ACCESS" })]);
    expect(await slice()).toBe("finished");
    expect(run.status).toBe("partial");
    expect(run.errors).toMatchObject([{ entity: "contacts", kind: "rejected", code: "INSUFFICIENT_ACCESS" }]);
    expect(run.merged.size).toBe(ALL - COUNTS.contacts);
  });

  it("remembers over the slices that something was left out", async () => {
    crm.troubles.set("accounts@0", [trouble("rejected")]);
    await untilDone({ limits: { sliceRecords: 2 } });
    expect(run.status).toBe("partial");
  });

  it("over every entity is a failure", async () => {
    for (const name of ["accounts@0", "contacts@0", "opportunities@0"]) crm.troubles.set(name, [trouble("rejected")]);
    expect(await slice()).toBe("failed");
    expect(run.status).toBe("failed");
  });

  it("over an expired token costs one renewal and loses nothing", async () => {
    crm.troubles.set(CONTACTS_SECOND_PAGE, [trouble("revoked", { code: "session_expired" })]);
    expect(await slice()).toBe("finished");
    expect(crm.refreshes).toBe(1);
    expect(run).toMatchObject({ status: "completed", connectionReason: null });
  });
});

describe("trouble with the database", () => {
  it("that passes, such as a deadlock, is tried again", async () => {
    let failures = 0;
    run.before = (verb) => {
      if (verb === "mergePage" && failures < 2) {
        failures += 1;
        throw new DbFailure({ code: "40P01", message: "deadlock detected" });
      }
    };
    expect(await slice()).toBe("finished");
    expect(run.merged.size).toBe(ALL);
  });

  it.each([
    [
      { constraint: "crm_companies_name_check", table: "crm_companies" },
      "23514",
      "Salesforce's value does not fit here: Name is not allowed. Change it in Salesforce, then retry the failed records.",
      "Name",
    ],
    [{ column: "name" }, "23502", /: Name is empty, and a record cannot be kept without it\./, "Name"],
    [
      { constraint: "crm_companies_slug_check", table: "crm_companies" },
      "23514",
      /: a value of this record is not allowed\./,
      null,
    ],
    [{}, "22003", /: a value of this record is out of range\./, null],
  ])(
    "over one record's data (%o) costs that record only, and says so in a sentence",
    async (about, code, message, field) => {
      const deps = depsOf(run, crm, clock, { limits: { mergeRecords: 100 } });
      const { mergePage } = deps.store;
      deps.store.mergePage = (ref, page) => {
        if (page.records.some((record) => record.crm_id === "accounts-3")) {
          return Promise.reject(new DbFailure({ code, message: 'violates check constraint "x"', ...about }));
        }
        return mergePage(ref, page);
      };
      expect(await runSlice(deps, { operation: "op", holder: "test" })).toBe("finished");
      expect(run.merged.size).toBe(ALL - 1);
      expect(run.rejected.get("accounts-3")).toMatch(message);
      const rejected = run.pages.flatMap((page) => page.rejected);
      expect(rejected).toMatchObject([{ crm_id: "accounts-3", code: `sql_${code}`, field }]);
      expect([...run.merged.values()].every((times) => times === 1)).toBe(true);
    },
  );

  it("that nobody foresaw ends the run with a sentence", async () => {
    run.before = (verb) => {
      if (verb === "setTotals") throw new DbFailure({ code: "42883", message: "function does not exist" });
    };
    expect(await slice()).toBe("failed");
    expect(run.message).toMatch(/^The database stopped this sync \(42883\)\./);
  });
});
