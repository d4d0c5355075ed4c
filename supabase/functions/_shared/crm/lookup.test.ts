import { describe, expect, it } from "vitest";
import { assign, earliest, type FoundRecord } from "./lookup.ts";

const NOON = "2026-11-21T12:00:00.000Z";
const record = (id: string, more: Partial<FoundRecord> = {}): FoundRecord => ({ id, createdAt: NOON, ...more });
const keys = (found: Map<string, string>) => Object.fromEntries(found);

describe("whether a record is the one that an unanswered create made", () => {
  it("takes our id for proof, and nothing else where records carry it", () => {
    const candidates = [{ key: "k", externalId: "own", name: "Acme", createdAfter: NOON }];
    const named = record("1", { externalId: null, name: "Acme" });
    const marked = record("2", { externalId: "own", name: "Renamed since", createdAt: "2020-01-01T00:00:00Z" });
    expect(keys(assign(candidates, [named]))).toEqual({});
    expect(keys(assign(candidates, [named, marked]))).toEqual({ k: "2" });
    expect(keys(assign(candidates, [record("3", { name: "Acme" })]))).toEqual({ k: "3" });
  });

  it("compares without case, spaces around and forms of a website", () => {
    const candidates = [{ key: "k", name: " Acme  GmbH", domain: "https://www.Acme.example/en", createdAfter: NOON }];
    expect(keys(assign(candidates, [record("1", { name: "acme gmbh", website: "acme.example" })]))).toEqual({ k: "1" });
    expect(keys(assign(candidates, [record("1", { name: "acme gmbh", website: null })]))).toEqual({ k: "1" });
    expect(keys(assign(candidates, [record("1", { name: "acme gmbh", website: "acme.other" })]))).toEqual({});
  });

  it("allows for clocks that differ by minutes, not by hours", () => {
    const candidates = [{ key: "k", email: "a@b.example", createdAfter: NOON }];
    const at = (createdAt: string) => assign(candidates, [record("1", { email: "A@b.example", createdAt })]).size;
    expect([at("2026-11-21T11:56:00Z"), at("2026-11-21T11:00:00Z")]).toEqual([1, 0]);
    expect(
      earliest([
        { key: "a", createdAfter: NOON },
        { key: "b", createdAfter: "2026-11-21T13:00:00Z" },
      ]),
    ).toBe("2026-11-21T11:55:00.000Z");
  });

  it("knows nothing of a candidate without any trait", () => {
    expect(assign([{ key: "k", createdAfter: NOON }], [record("1", { name: "" })]).size).toBe(0);
  });
});
