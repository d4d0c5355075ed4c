import fc from "fast-check";
import type { CrmProvider, EntityType, ReadPage } from "../../../supabase/functions/_shared/crm/contract.ts";
import type { Meddler, Meddling } from "./meddling.ts";

/** The worker was killed: nothing it does afterwards counts, not even tidying up. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/**
 * What befalls a worker, at the border of its n-th step. `before`: the step was not taken yet; `after`: it was, and the
 * worker never heard of it, or hears of it too late. A frozen worker thaws while another one has the run. `hears_it_again`: from
 * then on, every page brings the records of the one before as well. `hears_late`: it brings what a page of a former run brought.
 */
interface StepBlow {
  step: number;
  what: "dies_before" | "dies_after" | "freezes_before" | "freezes_after" | "hears_it_again" | "hears_late";
}

/** Somebody edits, creates, deletes or merges records before the n-th step of a kind. */
interface MeddlingBlow {
  what: "meddles";
  before: Moment;
  does: Meddling;
}

export type Blow = StepBlow | MeddlingBlow;

const STEPS = [
  "readPage",
  "mergePage",
  "beginPush",
  "takeOutbound",
  "fetchRecords",
  "createRecords",
  "updateRecords",
  "deleteRecords",
  "settleOutbound",
] as const;

export interface Moment {
  kind: (typeof STEPS)[number];
  nth: number;
}

export const moment: fc.Arbitrary<Moment> = fc.record({
  kind: fc.constantFrom(...STEPS),
  nth: fc.integer({ min: 1, max: 3 }),
});

/** What pages brought, run by run. */
export class EarlierPages {
  #before = new Map<EntityType, ReadPage["records"]>();
  #now = new Map<EntityType, ReadPage["records"]>();

  runBegins(): void {
    this.#before = new Map([...this.#before, ...this.#now]);
    this.#now = new Map();
  }

  keep(entity: EntityType, records: ReadPage["records"]): void {
    if (records.length > 0) this.#now.set(entity, records);
  }

  of(entity: EntityType): ReadPage["records"] {
    return this.#before.get(entity) ?? [];
  }
}

export interface Fate {
  /** Makes the asynchronous methods of an object the steps of one worker's life. */
  suffered<T extends object>(target: T): T;
  misheard(crm: CrmProvider): CrmProvider;
  dead(): boolean;
}

export interface Circumstances {
  blow: Blow | null;
  freeze: () => Promise<void>;
  meddle: Meddler;
  earlier: EarlierPages;
}

/** Answer at once, so they are no steps. */
const AT_ONCE: ReadonlySet<PropertyKey> = new Set(["tokens", "calls", "authorizeUrl"]);

export function fateOf({ blow, freeze, meddle, earlier }: Circumstances): Fate {
  const onStep = blow === null || blow.what === "meddles" ? null : blow;
  const meddling = blow?.what === "meddles" ? blow : null;
  const hands = watchHands();
  const times = new Map<string, number>();
  let steps = 0;
  let dead = false;
  const step = async (kind: string, args: readonly unknown[], run: () => Promise<unknown>): Promise<unknown> => {
    if (dead) throw new Killed();
    steps += 1;
    const nth = (times.get(kind) ?? 0) + 1;
    times.set(kind, nth);
    hands.before(kind, args);
    if (meddling?.before.kind === kind && meddling.before.nth === nth) await meddle(meddling.does, hands.full);
    const what = steps === onStep?.step ? onStep.what : null;
    if (what === "freezes_before") await freeze();
    if (what === "dies_before") dead = true;
    if (dead) throw new Killed();
    const result = await run();
    hands.after(kind, args);
    if (what === "freezes_after") await freeze();
    if (what === "dies_after") dead = true;
    if (dead) throw new Killed();
    return result;
  };
  const suffered = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, key) {
        const value = Reflect.get(object, key) as unknown;
        if (typeof value !== "function" || AT_ONCE.has(key)) return value;
        return (...args: unknown[]) =>
          step(String(key), args, () => (value as (...given: unknown[]) => Promise<unknown>).apply(object, args));
      },
    });
  const misheard = (crm: CrmProvider): CrmProvider => {
    const again = new Map<EntityType, ReadPage["records"]>();
    const readPage: CrmProvider["readPage"] = async (session, request) => {
      const page = await crm.readPage(session, request);
      const { entity } = request;
      const before = again.get(entity) ?? page.records;
      again.set(entity, page.records);
      earlier.keep(entity, page.records);
      if (onStep === null || steps < onStep.step) return page;
      if (onStep.what === "hears_it_again") return { ...page, records: [...before, ...page.records] };
      if (onStep.what !== "hears_late" || !LAGGING.has(crm.id)) return page;
      const late = earlier.of(entity).map((record) => ({ ...record, mayLag: true as const }));
      return { ...page, records: [...page.records, ...late] };
    };
    return { ...crm, readPage };
  };
  return { suffered, misheard, dead: () => dead };
}

/** Whose reads may show a record as it was before a write that somebody has read already. A query of Salesforce never does. */
const LAGGING: ReadonlySet<string> = new Set(["hubspot"]);

/** Which records of the CRM the worker has looked at and not written yet. */
function watchHands() {
  const full = new Set<string>();
  let pushing = false;
  return {
    full,
    before(kind: string, args: readonly unknown[]) {
      if (kind === "beginPush") pushing = true;
      const takesAnew = kind === "takeOutbound" && args[3] === undefined;
      if (takesAnew) full.clear();
    },
    after(kind: string, args: readonly unknown[]) {
      if (kind === "fetchRecords" && pushing) for (const id of (args[1] as { ids: string[] }).ids) full.add(id);
      if (kind === "updateRecords")
        for (const { id } of (args[1] as { writes: { id: string }[] }).writes) full.delete(id);
    },
  };
}
