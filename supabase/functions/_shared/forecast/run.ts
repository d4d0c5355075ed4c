import { type ForecastInputs, readInputs } from "../db/sql/forecast.ts";
import {
  type BegunRun,
  beginRun,
  failRun,
  finishRun,
  type HeldRun,
  keptResult,
  tellProgress,
} from "../db/sql/forecastRuns.ts";
import type { Reply } from "../http/handle.ts";
import { problem } from "../http/problem.ts";
import { PlanningError } from "../planning/failure.ts";
import type { Canonical } from "../planning/identity/canonicalJson.ts";
import { ENGINE_VERSION, inputsHash } from "../planning/identity/inputsHash.ts";
import { type Calculation, calculate, costOf, type Result } from "./calculate.ts";
import type { ForecastDeps } from "./deps.ts";
import { admit, checkCost, INLINE_DRAWS } from "./limits.ts";
import type { Asked } from "./requests.ts";

/** From a request to a kept result: read, hash, begin, draw step by step, finish. */

export const LEASE_SECONDS = 30;
/** How long the event loop may be kept busy, and how old the shown progress may be. */
const BREATHE_MS = 100;
const TELL_MS = 500;

export async function answerRun(deps: ForecastDeps, user: { id: string }, asked: Asked): Promise<Reply> {
  await admit(deps, user, asked);
  const inputs = await readInputs(deps.db, asked.workspace, user.id, asked.ask);
  const begun = await begin(deps, user.id, asked, inputs);
  const { run_id, status, reused, fence } = begun.run;
  const about = { run_id, status, reused, ...begun.about };
  if (status === "completed") return { body: { ...about, ...(await keptResult(deps.db, run_id)).result } };
  if (fence === null) return { status: 202, body: about };
  const result = await calculateHeld(deps, { id: run_id, fence }, begun.work, begun.first);
  if (result === null) throw problem(409, "forecast_cancelled", "This forecast was cancelled. Nothing of it was kept.");
  return { body: { ...about, status: "completed", ...result } };
}

export interface Begun {
  run: BegunRun;
  about: { inputs_hash: string; engine_version: number; seed: number; runs: number };
  work: Calculation;
  first: FirstStep;
}

type FirstStep = IteratorResult<{ done: number; total: number }, Result>;

/** The first step is taken before anything is written: what is wrong with the input shows in it, and leaves no trace. */
export async function begin(
  deps: ForecastDeps,
  actor: string | null,
  { workspace, kind, request, wait }: Asked,
  inputs: ForecastInputs,
): Promise<Begun> {
  const { runs } = request;
  const draws = checkCost(costOf(kind, request, inputs), runs);
  const hash = await inputsHash({ kind, request, inputs } as unknown as Canonical);
  const seed = request.seed ?? scenarioSeed(inputs) ?? Number.parseInt(hash.slice(0, 8), 16);
  const work = calculate(kind, request, inputs, { runs, seed });
  const first = work.next();
  const run = await beginRun(
    deps.db,
    {
      workspace,
      actor,
      kind,
      request,
      inputs,
      hash,
      version: ENGINE_VERSION,
      seed,
      runs,
      queued: !wait || draws > INLINE_DRAWS,
    },
    LEASE_SECONDS,
  );
  return { run, about: { inputs_hash: hash, engine_version: ENGINE_VERSION, seed, runs }, work, first };
}

/** A forecast of one stored scenario takes the seed that the scenario keeps. */
function scenarioSeed({ scenarios }: ForecastInputs): number | null {
  return scenarios.length === 1 ? (scenarios[0]?.seed ?? null) : null;
}

/** null: cancelled meanwhile, or taken over. */
export async function calculateHeld(
  deps: ForecastDeps,
  run: HeldRun,
  work: Calculation,
  first: FirstStep | null,
): Promise<Result | null> {
  try {
    const drawn = await drive(deps, run, work, first ?? work.next());
    if (drawn === null) return null;
    const progress = { done: drawn.total, total: drawn.total, phase: "done" };
    return (await finishRun(deps.db, run, drawn.result, progress)) ? drawn.result : null;
  } catch (error) {
    const known = error instanceof PlanningError;
    const message = known
      ? error.message
      : "The calculation broke off. Ask again; if it happens again, tell the operator.";
    // A database that is away cannot note it either: the lease runs out, and the run is tried again.
    await failRun(deps.db, run, known ? error.fault : "internal_error", message).catch(() => {});
    throw error;
  }
}

async function drive(
  { db, now, breathe }: ForecastDeps,
  run: HeldRun,
  work: Calculation,
  first: FirstStep,
): Promise<{ result: Result; total: number } | null> {
  let total = 0;
  let [breathed, told] = [now().getTime(), now().getTime()];
  for (let step = first; ; step = work.next()) {
    if (step.done) return { result: step.value, total };
    total = step.value.total;
    const time = now().getTime();
    if (time - told >= TELL_MS) {
      told = time;
      if (!(await tellProgress(db, run, { ...step.value, phase: "drawing" }, LEASE_SECONDS))) {
        work.return({});
        return null;
      }
    } else if (time - breathed >= BREATHE_MS) {
      breathed = time;
      await breathe();
    }
  }
}
