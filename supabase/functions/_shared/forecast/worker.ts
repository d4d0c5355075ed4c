import { readInputs } from "../db/sql/forecast.ts";
import { claimRun } from "../db/sql/forecastRuns.ts";
import { keepAvailability, readStaffing, staleAvailability } from "../db/sql/people.ts";
import type { Logger } from "../log/logger.ts";
import { scoreDeal } from "./availability.ts";
import { calculate } from "./calculate.ts";
import type { ForecastDeps } from "./deps.ts";
import { askedForecast } from "./requests.ts";
import { begin, calculateHeld, LEASE_SECONDS } from "./run.ts";
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
  await keepAvailability(deps.db, workspace, rows);
}

/** Twelve months from today, as everybody sees them: what accuracy is measured by. */
async function daily(deps: ForecastDeps, workspace: string): Promise<void> {
  const asked = askedForecast(forecastInput.parse({ workspace_id: workspace, include_new_business: true }), "daily");
  const inputs = await readInputs(deps.db, workspace, null, asked.ask);
  const { run, work: steps, first } = await begin(deps, null, asked, inputs);
  if (run.fence !== null) await calculateHeld(deps, { id: run.run_id, fence: run.fence }, steps, first);
}
