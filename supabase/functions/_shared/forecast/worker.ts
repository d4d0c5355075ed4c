import { readInputs } from "../db/sql/forecast.ts";
import { claimRun, refuseDaily } from "../db/sql/forecastRuns.ts";
import { keepAvailability, readStaffing, staleAvailability } from "../db/sql/people.ts";
import { DbFailure } from "../db/types.ts";
import { HttpProblem } from "../http/problem.ts";
import type { Logger } from "../log/logger.ts";
import { PlanningError } from "../planning/failure.ts";
import { ENGINE_VERSION } from "../planning/identity/inputsHash.ts";
import { scoreDeal } from "./availability.ts";
import { calculate } from "./calculate.ts";
import type { ForecastDeps } from "./deps.ts";
import { type Asked, askedForecast } from "./requests.ts";
import { type Begun, begin, calculateHeld, LEASE_SECONDS } from "./run.ts";
import { forecastInput, type WorkInput } from "./schemas.ts";

/** What the database's sweep asks for: one thing a call, so that each has the processor time of a call of its own. */
export async function work(deps: ForecastDeps, input: WorkInput, log: Logger): Promise<void> {
  if (input.run_id !== undefined) await workOnRun(deps, input.run_id, log);
  if (input.availability !== undefined) await scoreStale(deps, input.availability);
  if (input.daily !== undefined) await daily(deps, input.daily);
}

async function workOnRun(deps: ForecastDeps, id: string, log: Logger): Promise<void> {
  const run = await claimRun(deps.db, id, LEASE_SECONDS);
  if (run === null) return;
  const { kind, request, inputs, seed, runs, fence } = run;
  const held = { id, fence };
  const steps = calculate(kind, request, inputs, { runs, seed });
  const done = await calculateHeld(deps, held, steps, null);
  if (done === null) log.info("forecast stopped", { run_id: id });
}

const STALE_AT_ONCE = 100;
/** Of processor time and waiting together; what is left is done a minute later. */
const SCORING_MS = 1_000;

async function scoreStale(deps: ForecastDeps, workspace: string): Promise<void> {
  const ids = await staleAvailability(deps.db, workspace, STALE_AT_ONCE);
  if (ids.length === 0) return;
  const staffing = await readStaffing(deps.db, workspace, null, ids);
  const until = deps.now().getTime() + SCORING_MS;
  const rows = [];
  for (const deal of staffing.deals) {
    if (deps.now().getTime() > until && rows.length > 0) break;
    rows.push(scoreDeal(deal, staffing));
    await deps.breathe();
  }
  await keepAvailability(deps.db, workspace, rows, staffing.read_at);
}

/** Twelve months from today, as everybody sees them: what accuracy is measured by. */
async function daily(deps: ForecastDeps, workspace: string): Promise<void> {
  const asked = askedForecast(forecastInput.parse({ workspace_id: workspace, include_new_business: true }), "daily");
  const begun = await beginDaily(deps, asked);
  if (begun?.run.fence == null) return;
  await calculateHeld(deps, { id: begun.run.run_id, fence: begun.run.fence }, begun.work, begun.first);
}

/** Nobody waits for the answer, so a refusal is kept where people look. */
async function beginDaily(deps: ForecastDeps, asked: Asked): Promise<Begun | null> {
  try {
    return await begin(deps, null, asked, await readInputs(deps.db, asked.workspace, null, asked.ask));
  } catch (error) {
    const why = refusalOf(error);
    if (why === null) throw error;
    await refuseDaily(deps.db, { ...asked, ...why, version: ENGINE_VERSION, runs: asked.request.runs });
    return null;
  }
}

/** null: a fault of ours, or of the moment. */
function refusalOf(error: unknown): { code: string; message: string } | null {
  if (error instanceof PlanningError) return { code: error.fault, message: error.message };
  if (error instanceof HttpProblem) return { code: error.problem.code, message: error.message };
  if (error instanceof DbFailure && error.code === "PC004") return { code: "invalid_input", message: error.message };
  return null;
}
