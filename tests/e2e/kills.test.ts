import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createRandom } from "../../packages/mock-crm/src/shared/random.ts";
import type { CrmName } from "../convergence/lib/fields.ts";
import { act, type Deed, deed } from "../convergence/lib/people.ts";
import { CRMS } from "../convergence/lib/scene.ts";
import { faults, untilQuiet } from "../convergence/lib/verdict.ts";
import { type Arena, startArena } from "../support/arena.ts";
import { later } from "../support/two-way.ts";
import { passTimeAfterDeath } from "../support/world.ts";

const SEED = 20_261_121;
const KILLS = 50;
/** A run that dies more often at one place is given up, and rightly so. */
const KILLS_PER_RUN = 4;
const DEEDS_PER_RUN = 9;
/** Longer than a run of a few records takes, so that its end is hit as well. */
const LATEST_MS = 900;
const LIVE = ["queued", "running"];

interface RunState {
  status: string;
  error: string | null;
  /** A worker has it in hand. */
  held: boolean;
  /** Changes with every worker that takes it. */
  fence: string;
  phase: string;
}

describe("a function process that is killed again and again, at any moment of a two-way sync", () => {
  const random = createRandom(SEED);
  let arena: Arena;
  beforeAll(async () => {
    arena = await startArena(18_200);
  });
  afterAll(() => arena?.stop());

  async function stateOf(operation: string): Promise<RunState> {
    const [state] = await arena.sql<RunState[]>`
      select o.status, o.error_message as error, coalesce(s.lease_expires_at > now(), false) as held, s.fence::text as fence,
             coalesce(s.checkpoint ->> 'phase', 'start') as phase
        from public.crm_sync_operations o join private.crm_operation_state s on s.operation_id = o.id
       where o.id = ${operation}`;
    if (state === undefined) throw new Error("The run is gone.");
    return state;
  }

  const until = (operation: string, reached: (state: RunState) => boolean) =>
    vi.waitUntil(
      async () => {
        const state = await stateOf(operation);
        return reached(state) || !LIVE.includes(state.status) ? state : null;
      },
      { timeout: 60_000, interval: 10 },
    ) as Promise<RunState>;

  async function start(name: CrmName): Promise<string> {
    await later(arena.sql, arena.configs[name]);
    const { data, error } = await arena.owner.rpc("crm_start_sync", { config_id: arena.configs[name] });
    if (error) throw error;
    return data.id;
  }

  /** A run to its end. Answers in which phase each kill hit a process that was at work. */
  async function sync(name: CrmName, most: number): Promise<string[]> {
    const operation = await start(name);
    const hits: string[] = [];
    while (hits.length < most) {
      await until(operation, ({ held }) => held);
      await pause(random() * LATEST_MS);
      const { status, held, phase } = await stateOf(operation);
      if (!LIVE.includes(status)) break;
      if (!held) continue;
      process.kill(arena.pid(), "SIGKILL");
      if ((await stateOf(operation)).status === "running") hits.push(phase);
      await passTimeAfterDeath(arena.sql, operation);
    }
    const { status, error } = await until(operation, () => false);
    // Partial: a record whose answer was lost waits to be looked for. Whatever is still open at the end is a fault.
    expect(["completed", "partial"], error ?? "").toContain(status);
    return hits;
  }

  test(`${KILLS} kills double no record, lose no edit, and leave nothing in disagreement (seed ${SEED})`, async () => {
    const deeds = fc.sample(deed, { seed: SEED, numRuns: KILLS * DEEDS_PER_RUN });
    const hits: string[] = [];
    for (let run = 0; hits.length < KILLS; run += 1) {
      await act(arena, nextDeeds(deeds, run));
      await arena.latency(10 + Math.round(random() * 20));
      hits.push(...(await sync(CRMS[run % CRMS.length] ?? CRMS[0], KILLS_PER_RUN)));
    }
    await arena.latency(0);
    await untilQuiet(arena, (name) => sync(name, 0));
    expect(await faults(arena)).toEqual([]);
    expect(hits.length).toBeGreaterThanOrEqual(KILLS);
    expect(hits).toEqual(expect.arrayContaining(["start", "pull", "push"]));
    expect(arena.ledger.standing().length).toBeGreaterThan(10);
  }, 600_000);
});

function nextDeeds(deeds: readonly Deed[], run: number): readonly Deed[] {
  const from = (run * DEEDS_PER_RUN) % deeds.length;
  return deeds.slice(from, from + DEEDS_PER_RUN);
}
