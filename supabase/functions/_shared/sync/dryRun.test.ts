import { describe, expect, it } from "vitest";
import { type CrmProvider, ENTITY_TYPES } from "../crm/contract.ts";
import { runSlice, type SliceDeps } from "./slice.ts";
import type { Page } from "./store.ts";
import { clockAt, crmWith, depsOf, newRun } from "./testing.ts";

/** A plan over a CRM of three entities, with everything that it asked of the database. */
function planOf(batches = 1) {
  const run = newRun();
  const asked: string[] = [];
  const planned: Page[] = [];
  const deps = depsOf(run, crmWith({ accounts: 3, contacts: 2 }), clockAt(), {
    claim: { operation: "plan", direction: "bidirectional", phases: ["pull", "push"] },
    limits: { mergeRecords: 100 },
  });
  const left = new Map(ENTITY_TYPES.map((entity) => [entity, batches]));
  const store: SliceDeps["store"] = {
    ...deps.store,
    keepCheckpoint: async (_run, checkpoint) => {
      run.checkpoint = checkpoint;
    },
    plan: {
      page: async (_run, page) => {
        planned.push(page);
        run.checkpoint = page.checkpoint;
        return { created: page.records.length, updated: 0, unchanged: 0, deleted: 0, failed: 0, conflicts: 0 };
      },
      push: async (_run, entity) => {
        asked.push(entity);
        left.set(entity, (left.get(entity) ?? 0) - 1);
        return (left.get(entity) ?? 0) > 0;
      },
    },
  };
  const slice = (more: Partial<SliceDeps> = {}) =>
    runSlice({ ...deps, store, ...more }, { operation: "op", holder: "t" });
  return { run, planned, asked, slice, deps };
}

describe("a run that plans", () => {
  it("hands every page to the plan and merges none", async () => {
    const { run, planned, asked, slice } = planOf();
    expect(await slice()).toBe("finished");
    expect(planned.flatMap(({ records }) => records)).toHaveLength(5);
    expect(run.merged.size).toBe(0);
    expect(run.cursors.size).toBe(0);
    expect(asked).toEqual(["accounts", "contacts", "opportunities"]);
  });

  it("keeps no owners either", async () => {
    const { run, slice } = planOf();
    const verbs: string[] = [];
    run.before = (verb) => verbs.push(verb);
    await slice();
    expect(verbs).not.toContain("upsertOwners");
    expect(verbs).toContain("setTotals");
  });

  it("goes on in the next slice where our records are many", async () => {
    const { asked, slice } = planOf(3);
    const endings = [];
    for (let ending = await slice(); ; ending = await slice()) {
      endings.push(ending);
      if (ending !== "handed_over") break;
    }
    expect(endings.length).toBeGreaterThan(1);
    expect(endings.at(-1)).toBe("finished");
    expect(asked.filter((entity) => entity === "accounts").length).toBeGreaterThanOrEqual(3);
  });

  it("cannot write to the CRM, whatever code it meets", async () => {
    const { deps, slice } = planOf();
    const written: string[] = [];
    const meddling = (): CrmProvider => {
      const crm = deps.provider("salesforce");
      return {
        ...crm,
        createRecords: async () => {
          written.push("create");
          return [];
        },
        async owners(session) {
          // As a fault of ours would: the provider that a slice holds is asked to write.
          await this.createRecords(session, { entity: "accounts", writes: [] });
          return [];
        },
      };
    };
    expect(await slice({ provider: meddling })).toBe("failed");
    expect(written).toEqual([]);
  });
});
