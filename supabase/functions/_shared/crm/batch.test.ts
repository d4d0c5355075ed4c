import { describe, expect, it } from "vitest";
import { failed, inRounds, type Sending, sendInParts, sendRounds, written } from "./batch.ts";
import type { CrmErrorKind, CrmFailure } from "./contract.ts";
import { failure } from "./errors.ts";

const refusal = (kind: CrmErrorKind = "rejected", code = "BAD") => failure(kind, code, "No.");

/** A CRM that refuses a whole batch over one of the named records. */
function crmThatRefuses(bad: readonly string[], trouble: Record<number, CrmFailure> = {}) {
  const calls: string[][] = [];
  const sending: Sending<string> = {
    send: async (part) => {
      calls.push([...part]);
      const thrown = trouble[calls.length];
      if (thrown !== undefined) throw thrown;
      if (part.some((id) => bad.includes(id))) throw refusal();
      return part.map((id) => written(id, id));
    },
    refused: (id, error) => failed(id, error),
    blamesRecords: (error) => error.kind === "rejected" && error.code === "BAD",
  };
  return { sending, calls };
}

const ids = (count: number) => Array.from({ length: count }, (_, at) => String(at));

describe("a batch", () => {
  it("is one call when all goes well, and none when there is nothing", async () => {
    const { sending, calls } = crmThatRefuses([]);
    expect(await sendInParts(ids(100), sending)).toHaveLength(100);
    expect(await sendInParts([], sending)).toEqual([]);
    expect(calls).toHaveLength(1);
  });

  it.each([["0"], ["57"], ["99"]])("that one record spoils (%s) is written but for this record", async (bad) => {
    const { sending, calls } = crmThatRefuses([bad]);
    const results = await sendInParts(ids(100), sending);
    expect(results.filter(({ outcome }) => outcome === "failed").map(({ key }) => key)).toEqual([bad]);
    expect(results.map(({ key }) => key)).toEqual(ids(100));
    expect(calls.length).toBeLessThanOrEqual(15);
  });

  it("of bad records only ends, and leaves the ones it did not get to for later", async () => {
    const { sending, calls } = crmThatRefuses(ids(200));
    const results = await sendInParts(ids(200), sending);
    expect(results).toHaveLength(200);
    expect(calls.length).toBeLessThanOrEqual(48);
    const kinds = new Set(results.map(({ error }) => error?.kind));
    expect(kinds).toEqual(new Set(["rejected", "transient"]));
  });

  it("fails as a whole while nothing is known, and record by record afterwards", async () => {
    const first = crmThatRefuses([], { 1: refusal("revoked", "session_expired") });
    await expect(sendInParts(ids(4), first.sending)).rejects.toMatchObject({ detail: { kind: "revoked" } });
    const second = crmThatRefuses(["3"], { 3: refusal("rate_limited", "LIMIT") });
    expect(await sendInParts(ids(4), second.sending)).toMatchObject([
      { key: "0", outcome: "written" },
      { key: "1", outcome: "written" },
      { key: "2", outcome: "failed", error: { kind: "transient", code: "LIMIT" } },
      { key: "3", outcome: "failed", error: { kind: "transient", code: "LIMIT" } },
    ]);
  });

  it("lets faults of our own through", async () => {
    const bug: Sending<string> = { ...crmThatRefuses([]).sending, send: () => Promise.reject(new TypeError("a bug")) };
    await expect(sendInParts(["1"], bug)).rejects.toThrow("a bug");
  });

  it("that names a record twice becomes two, in the order of the writes", async () => {
    expect(inRounds(["a1", "b1", "a2", "c1", "a3"], ([id]) => id ?? "")).toEqual([["a1", "b1", "c1"], ["a2"], ["a3"]]);
    const { sending, calls } = crmThatRefuses([]);
    await sendRounds([["a", "b"], ["a"]], sending);
    expect(calls).toEqual([["a", "b"], ["a"]]);
  });
});
