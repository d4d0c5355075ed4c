import { requireRole, takeToken } from "../db/sql/forecast.ts";
import { problem } from "../http/problem.ts";
import { MAX_RUNS } from "../planning/forecast/revenue.ts";
import type { ForecastDeps } from "./deps.ts";
import type { Asked } from "./requests.ts";

/** What a calculation may cost. A draw is one deal of one scenario in one run. */

/** Beyond it only members ask. */
export const VIEWER_RUNS = 10_000;
/** As much as fits into the answer to a call; more is calculated in the background. */
export const INLINE_DRAWS = 30_000_000;
/** As much as fits into the processor time of one function call. */
export const MOST_DRAWS = 60_000_000;

/** Nothing is read for somebody who may not ask, or not so much, or not so often. */
export async function admit({ db }: ForecastDeps, user: { id: string }, { workspace, request }: Asked): Promise<void> {
  if (request.runs > MAX_RUNS) {
    const detail = `A calculation has at most ${MAX_RUNS.toLocaleString("en")} runs, not ${request.runs.toLocaleString("en")}. 10,000 are enough for steady percentiles.`;
    await requireRole(db, workspace, "viewer", user.id);
    throw problem(422, "too_many_runs", detail, { extra: { errors: [{ field: "runs", message: detail }] } });
  }
  await requireRole(db, workspace, request.runs > VIEWER_RUNS ? "member" : "viewer", user.id);
  await takeTurn({ db }, workspace);
}

export async function takeTurn({ db }: Pick<ForecastDeps, "db">, workspace: string): Promise<void> {
  const wait = await takeToken(db, workspace);
  if (wait === 0) return;
  const detail = `This workspace has asked for many calculations within a minute. Ask again in ${wait} s.`;
  throw problem(429, "too_many_requests", detail, { retryAfter: wait });
}

export function checkCost(draws: number): void {
  if (draws <= MOST_DRAWS) return;
  const millions = (count: number) => `${Math.round(count / 1e6)} million`;
  throw problem(
    422,
    "too_many_runs",
    `This asks for ${millions(draws)} draws (deals × scenarios × runs); ${millions(MOST_DRAWS)} are possible. Ask for fewer runs or fewer scenarios, name the deals, or leave out unlikely ones with confidence_threshold.`,
    { extra: { errors: [{ field: "runs", message: "Too many draws." }] } },
  );
}
