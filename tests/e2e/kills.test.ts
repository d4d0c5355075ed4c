import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
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

/** Each with a stack of its own, side by side: most of the time goes into starting the processes that were killed. */
const HALVES = [
  { seed: SEED, firstPort: 18_200 },
  { seed: SEED + 1, firstPort: 18_300 },
];

describe("a function process that is killed again and again, at any moment of a two-way sync", () => {
  test.concurrent.each(HALVES)(
    `${KILLS / 2} kills double no record, lose no edit, and leave nothing in disagreement (seed $seed)`,
    async ({ seed, firstPort }) => {
      const arena = await startArena(firstPort);
      try {
        await survives(arena, seed, KILLS / 2);
      } finally {
        await arena.stop();
      }
    },
    600_000,
  );
});

async function survives(arena: Arena, seed: number, kills: number): Promise<void> {
  const random = createRandom(seed);
  const deeds = fc.sample(deed, { seed, numRuns: kills * DEEDS_PER_RUN });
  const hits: string[] = [];
  for (let run = 0; hits.length < kills; run += 1) {
    await act(arena, nextDeeds(deeds, run));
    await arena.latency(10 + Math.round(random() * 20));
    hits.push(...(await sync(arena, random, CRMS[run % CRMS.length] ?? CRMS[0], KILLS_PER_RUN)));
  }
  await arena.latency(0);
  await untilQuiet(arena, (name) => sync(arena, random, name, 0));
  expect(await faults(arena)).toEqual([]);
  expect(hits.length).toBeGreaterThanOrEqual(kills);
  expect(hits).toEqual(expect.arrayContaining(["start", "pull", "push"]));
  expect(arena.ledger.standing().length).toBeGreaterThan(10);
}

/** A run to its end. Answers in which phase each kill hit a process that was at work. */
async function sync(arena: Arena, random: () => number, name: CrmName, most: number): Promise<string[]> {
  const operation = await start(arena, name);
  const hits: string[] = [];
  while (hits.length < most) {
    await until(arena, operation, ({ held }) => held);
    await pause(random() * LATEST_MS);
    const { status, held, phase } = await stateOf(arena, operation);
    if (!LIVE.includes(status)) break;
    if (!held) continue;
    const pid = arena.pid();
    process.kill(pid, "SIGKILL");
    // A call to a process that is just going down would be lost.
    await vi.waitUntil(() => !isAlive(pid), { interval: 5 });
    if ((await stateOf(arena, operation)).status === "running") hits.push(phase);
    await passTimeAfterDeath(arena.sql, operation);
  }
  const { status, error } = await until(arena, operation, () => false);
  // Partial: a record whose answer was lost waits to be looked for. Whatever is still open at the end is a fault.
  expect(["completed", "partial"], error ?? "").toContain(status);
  return hits;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function start(arena: Arena, name: CrmName): Promise<string> {
  await later(arena.sql, arena.configs[name]);
  const { data, error } = await arena.owner.rpc("crm_start_sync", { config_id: arena.configs[name] });
  if (error) throw error;
  return data.id;
}

function until(arena: Arena, operation: string, reached: (state: RunState) => boolean): Promise<RunState> {
  const there = async () => {
    const state = await stateOf(arena, operation);
    return reached(state) || !LIVE.includes(state.status) ? state : null;
  };
  return vi.waitUntil(there, { timeout: 60_000, interval: 10 }) as Promise<RunState>;
}

async function stateOf(arena: Arena, operation: string): Promise<RunState> {
  const [state] = await arena.sql<RunState[]>`
    select o.status, o.error_message as error, coalesce(s.lease_expires_at > now(), false) as held, s.fence::text as fence,
           coalesce(s.checkpoint ->> 'phase', 'start') as phase
      from public.crm_sync_operations o join private.crm_operation_state s on s.operation_id = o.id
     where o.id = ${operation}`;
  if (state === undefined) throw new Error("The run is gone.");
  return state;
}

function nextDeeds(deeds: readonly Deed[], run: number): readonly Deed[] {
  const from = (run * DEEDS_PER_RUN) % deeds.length;
  return deeds.slice(from, from + DEEDS_PER_RUN);
}
