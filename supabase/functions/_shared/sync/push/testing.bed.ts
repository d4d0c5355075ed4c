import { expect } from "vitest";
import { runSlice } from "../slice.ts";
import { clockAt, crmWith, depsOf, type FakeClock, type FakeCrm, type FakeRun, newRun } from "../testing.ts";

export type More = NonNullable<Parameters<typeof depsOf>[3]>;

const PUSH: More = { claim: { phases: ["push"] } };

export const mapped = (crm_field: string, app_field: string) =>
  ({
    entity_type: "accounts",
    crm_field,
    app_field,
    data_type: "string",
    sync_direction: "bidirectional",
    is_required: false,
  }) as const;

export const company = (at: number) => ({ key: `key-${at}`, name: `Company ${at}` });

export class Killed extends Error {}

/** One connection with a CRM and a clock, and workers that push. */
export class PushBed {
  run: FakeRun = newRun();
  crm: FakeCrm = crmWith({});
  clock: FakeClock = clockAt();
  /** The worker has been killed; a new slice is a new worker. */
  dead = false;

  slice(more: More = PUSH) {
    return runSlice(depsOf(this.run, this.crm, this.clock, more), { operation: "op", holder: "test" });
  }

  names() {
    return this.crm.records.accounts.filter(({ deleted }) => !deleted).map(({ fields }) => fields.Name);
  }

  /** A record of ours that the CRM has as well. */
  linked(id: string, name: string): void {
    const fields = { Name: name };
    this.crm.records.accounts.push({ id, modifiedAt: "2026-01-01T00:00:00.000Z", deleted: false, fields });
    const record = this.run.outbox.edit("accounts", `key-${id}`, { name }, id);
    record.queued = false;
  }

  again(): void {
    Object.assign(this.run, { status: "queued", checkpoint: null });
  }

  /** New runs until nothing waits any more; what waits comes due in between. */
  async converge(more: More = PUSH): Promise<void> {
    for (let runs = 0; runs < 60; runs += 1) {
      this.dead = false;
      await this.slice(more).catch((error: unknown) => expect(error).toBeInstanceOf(Killed));
      this.clock.ms += 60_000;
      const open = this.run.outbox.ours.some(({ queued, notBefore }) => queued && Number.isFinite(notBefore));
      if (!open && this.run.status === "completed") return;
      if (this.run.status !== "running") this.again();
    }
    throw new Error("Pushing never came to an end.");
  }
}
