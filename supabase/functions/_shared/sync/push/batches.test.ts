import { beforeEach, describe, expect, it } from "vitest";
import { DbFailure, FENCED } from "../../db/types.ts";
import { runSlice, type SliceDeps } from "../slice.ts";
import { clockAt, crmWith, depsOf, type FakeCrm, type FakeRun, newRun, trouble } from "../testing.ts";
import { atMost } from "./atMost.ts";

let run: FakeRun;
let crm: FakeCrm;
let deps: SliceDeps;

/** Six records that are linked and have been edited here: three batches of two. */
beforeEach(() => {
  run = newRun();
  crm = crmWith({ accounts: 6 });
  for (const at of [0, 1, 2, 3, 4, 5]) {
    run.outbox.edit("accounts", `key-${at}`, { name: `accounts ${at}` }, `accounts-${at}`);
    run.outbox.edit("accounts", `key-${at}`, { name: `Ours ${at}` });
  }
  deps = depsOf(run, crm, clockAt(), { claim: { phases: ["push"] } });
});

const slice = () => runSlice(deps, { operation: "op", holder: "test" });
const names = () => crm.records.accounts.map(({ fields }) => fields.Name);
const ours = (...places: number[]) => places.map((at) => `Ours ${at}`);

/** The nth call of that name waits until it is let go. */
function hold(name: string, nth = 1): { reached: Promise<void>; release: () => void } {
  let release = () => {};
  let reach = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const reached = new Promise<void>((resolve) => (reach = resolve));
  let seen = 0;
  const before = crm.onCall;
  crm.onCall = async (now) => {
    await before(now);
    if (now === name) seen += 1;
    if (now !== name || seen !== nth) return;
    reach();
    await released;
  };
  return { reached, release };
}

/** Which records are in a batch at each moment; fails when one is taken a second time. */
function watchBatches(): { mostAtOnce: () => number; twice: string[] } {
  const underWay = new Set<string>();
  const twice: string[] = [];
  let most = 0;
  const { takeOutbound, settleOutbound } = deps.store;
  deps.store.takeOutbound = async (ref, entity, limit, which) => {
    const taken = await takeOutbound(ref, entity, limit, which);
    if (which?.records !== undefined) return taken;
    twice.push(...taken.items.flatMap(({ key }) => (underWay.has(key) ? [key] : [])));
    for (const { key } of taken.items) underWay.add(key);
    most = Math.max(most, underWay.size);
    return taken;
  };
  deps.store.settleOutbound = async (ref, entity, results) => {
    const counts = await settleOutbound(ref, entity, results);
    for (const { key } of results) underWay.delete(key);
    return counts;
  };
  return { mostAtOnce: () => most, twice };
}

describe("batches on their way to the CRM", () => {
  it("while one is written, the next is taken and looked at", async () => {
    const firstWrite = hold("update accounts");
    const secondLook = hold("fetch accounts", 2);
    const ending = slice();
    await Promise.all([firstWrite.reached, secondLook.reached]);
    expect(crm.calls).toEqual(["fetch accounts 2", "fetch accounts 2", "update accounts 2"]);
    firstWrite.release();
    secondLook.release();
    expect(await ending).toBe("finished");
    expect(names()).toEqual(ours(0, 1, 2, 3, 4, 5));
  });

  it("no more write at once than the CRM bears", async () => {
    crm.atOnce = { batches: 3, writes: 1 };
    let [writing, most] = [0, 0];
    crm.onCall = async (name) => {
      if (name === "update accounts") most = Math.max(most, ++writing);
      await new Promise((resolve) => setImmediate(resolve));
      if (name === "update accounts done") writing -= 1;
    };
    expect(await slice()).toBe("finished");
    expect([most, names()]).toEqual([1, ours(0, 1, 2, 3, 4, 5)]);
  });

  it("a record that is edited while its batch is under way is in no other before that is settled", async () => {
    const watched = watchBatches();
    const firstWrite = hold("update accounts");
    const ending = slice();
    await firstWrite.reached;
    run.outbox.edit("accounts", "key-0", { name: "Ours again" });
    await new Promise((resolve) => setImmediate(resolve));
    firstWrite.release();
    expect(await ending).toBe("finished");
    expect(watched.twice).toEqual([]);
    expect(watched.mostAtOnce()).toBe(4);
    expect(names()).toEqual(["Ours again", ...ours(1, 2, 3, 4, 5)]);
  });

  it("one that is all there is to do is taken once, and once more to see that it was", async () => {
    for (const one of run.outbox.ours) one.queued = one.key === "key-0";
    let takes = 0;
    run.before = (verb) => {
      if (verb === "takeOutbound") takes += 1;
    };
    expect(await slice()).toBe("finished");
    expect([takes, crm.calls]).toEqual([2, ["fetch accounts 1", "update accounts 1"]]);
  });

  it("when one fails, what the CRM was told of the others is settled, and no further one begins", async () => {
    crm.atOnce = { batches: 2, writes: 2 };
    const firstWrite = hold("update accounts done");
    const secondLook = hold("fetch accounts", 2);
    const ending = slice();
    await firstWrite.reached;
    crm.troubles.set("update accounts", [trouble("rejected", { code: "MISSING_SCOPES" })]);
    secondLook.release();
    await new Promise((resolve) => setImmediate(resolve));
    firstWrite.release();
    await ending;
    expect(run.status).toBe("partial");
    expect(names().slice(0, 2)).toEqual(ours(0, 1));
    expect(run.outbox.settled.map(({ key }) => key)).toEqual(["key-0", "key-1"]);
    expect(crm.calls.filter((name) => name.startsWith("fetch"))).toHaveLength(2);
  });

  it("once another worker has the run, nothing more is written, though it was looked at", async () => {
    crm.atOnce = { batches: 2, writes: 2 };
    const secondLook = hold("fetch accounts", 2);
    deps.store.settleOutbound = () => Promise.reject(new DbFailure({ code: FENCED, message: "fenced" }));
    const ending = slice();
    await secondLook.reached;
    await new Promise((resolve) => setTimeout(resolve));
    secondLook.release();
    expect(await ending).toBe("taken_over");
    expect(crm.calls.filter((name) => name.startsWith("update"))).toEqual(["update accounts 2"]);
  });

  it("what the CRM shows unchanged is neither merged nor taken again", async () => {
    if (crm.records.accounts[5]) crm.records.accounts[5].fields.Name = "Theirs";
    const again: string[] = [];
    const { takeOutbound } = deps.store;
    deps.store.takeOutbound = (ref, entity, limit, which) => {
      again.push(...(which?.records ?? []));
      return takeOutbound(ref, entity, limit, which);
    };
    expect(await slice()).toBe("finished");
    expect(again).toEqual(["key-4", "key-5"]);
    expect(run.pages).toHaveLength(1);
    expect(names()).toEqual([...ours(0, 1, 2, 3, 4), "Theirs"]);
  });
});

describe("at most so many at one time", () => {
  it("the others in the order in which they came, also after a failure", async () => {
    const limited = atMost(1);
    const order: number[] = [];
    const work = (nth: number) =>
      limited(async () => {
        order.push(nth);
        await Promise.resolve();
        if (nth === 1) throw new Error("no");
      });
    const ends = await Promise.allSettled([work(0), work(1), work(2)]);
    expect(order).toEqual([0, 1, 2]);
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });
});
