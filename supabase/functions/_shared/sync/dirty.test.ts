import { beforeEach, describe, expect, it } from "vitest";
import { runSlice } from "./slice.ts";
import type { Claim } from "./store.ts";
import { clockAt, crmWith, depsOf, type FakeCrm, type FakeRun, newRun } from "./testing.ts";

let run: FakeRun;
let crm: FakeCrm;
/** The fields of every fetch by name. */
let asked: string[][];

beforeEach(() => {
  run = newRun();
  crm = crmWith({ accounts: 4 });
  asked = [];
  for (const { id } of crm.records.accounts) run.outbox.markDirty("accounts", id);
});

const industry = {
  entity_type: "accounts",
  crm_field: "Industry",
  app_field: "industry",
  data_type: "string",
  sync_direction: "push",
  is_required: false,
} as const;
const name = { ...industry, crm_field: "Name", app_field: "name", sync_direction: "bidirectional" } as const;

function claimed(filter: unknown): Partial<Claim> {
  const settings = { conflict_resolution: "crm_wins", sync_direction: "bidirectional" } as const;
  const sync_rules = filter === null ? {} : { accounts: { filter } };
  return { phases: ["dirty"], mappings: [name, industry], settings: { ...settings, sync_rules } };
}

async function slice(filter: unknown): Promise<void> {
  const deps = depsOf(run, crm, clockAt(), { claim: claimed(filter), limits: { mergeRecords: 2 } });
  const { provider } = deps;
  deps.provider = (id) => {
    const real = provider(id);
    const fetchRecords: typeof real.fetchRecords = (session, request) => {
      asked.push([...request.fields]);
      return real.fetchRecords(session, request);
    };
    return { ...real, fetchRecords };
  };
  await runSlice(deps, { operation: "op", holder: "test" });
}

const sent = () => run.pages.flatMap((page) => page.records);
const onlyLinked = () =>
  sent()
    .filter(({ only_linked }) => only_linked)
    .map(({ crm_id }) => crm_id);
const inIndustry = (at: number, value: string) =>
  Object.assign(crm.records.accounts[at]?.fields ?? {}, { Industry: value });

describe("records that were named", () => {
  it("are all merged where there is no filter", async () => {
    await slice(null);
    expect(sent()).toHaveLength(4);
    expect([onlyLinked(), run.outbox.dirty.size, run.status]).toEqual([[], 0, "completed"]);
  });

  it("begin here only where the filter wants them; the others are merged where they are linked", async () => {
    inIndustry(1, "Banking");
    inIndustry(2, "banking ");
    await slice({ field: "industry", operator: "equals", value: "Banking" });
    expect(onlyLinked()).toEqual(["accounts-0", "accounts-3"]);
    expect([run.outbox.dirty.size, run.status]).toEqual([0, "completed"]);
  });

  it("are read with the fields of the filter, and nothing of those is kept", async () => {
    inIndustry(1, "Banking");
    await slice({ field: "industry", operator: "not_empty" });
    expect(asked).toEqual([
      ["Name", "Industry"],
      ["Name", "Industry"],
    ]);
    expect(sent().every(({ values }) => Object.keys(values).join() === "name")).toBe(true);
  });

  it("count as gone whatever the filter says", async () => {
    crm.records.accounts = crm.records.accounts.slice(0, 2);
    await slice({ field: "industry", operator: "not_empty" });
    expect(sent().filter(({ deleted }) => deleted)).toMatchObject([
      { crm_id: "accounts-2", modified_at: null },
      { crm_id: "accounts-3", modified_at: null },
    ]);
    expect(onlyLinked()).toEqual(["accounts-0", "accounts-1"]);
  });

  it("are no error of a connection that does not want them, unless they are linked", async () => {
    for (const { fields } of crm.records.accounts) fields.Name = "x".repeat(300);
    inIndustry(0, "Banking");
    await slice({ field: "industry", operator: "not_empty" });
    const rejected = run.pages.flatMap((page) => page.rejected);
    expect(rejected.map(({ only_linked }) => only_linked ?? false)).toEqual([false, true, true, true]);
  });

  it("go on where they are linked when the filter cannot be followed, which is said once", async () => {
    await slice({ field: "phone", operator: "not_empty" });
    expect(onlyLinked()).toHaveLength(4);
    expect([run.outbox.dirty.size, run.status]).toEqual([0, "partial"]);
    expect(run.errors).toMatchObject([
      { entity: "accounts", kind: "rejected", message: expect.stringMatching(/phone/) },
    ]);
  });
});
