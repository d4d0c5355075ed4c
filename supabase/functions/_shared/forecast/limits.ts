import { requireRole, takeToken } from "../db/sql/forecast.ts";
import { type HttpProblem, problem } from "../http/problem.ts";
import { MAX_RUNS } from "../planning/forecast/revenue.ts";
import type { ForecastDeps } from "./deps.ts";
import type { Asked } from "./requests.ts";

/** What a calculation may cost. A draw is one deal of one scenario in one run; a period costs as much as a few deals. */

/** Beyond it only members ask. */
export const VIEWER_RUNS = 10_000;
/** As much as fits into the answer to a call; more is calculated in the background. */
export const INLINE_DRAWS = 30_000_000;
/** As much as fits into the processor time of one function call. */
export const MOST_DRAWS = 60_000_000;
/** Runs × periods, each eight bytes, of which a function has some two hundred million in all. */
const MOST_CELLS = 6_000_000;

/** Nothing is read for somebody who may not ask, or not so much, or not so often. */
export async function admit({ db }: ForecastDeps, user: { id: string }, { workspace, request }: Asked): Promise<void> {
  if (request.runs > MAX_RUNS) {
    const detail = `A calculation has at most ${MAX_RUNS.toLocaleString("en")} runs, not ${request.runs.toLocaleString("en")}. 10,000 are enough for steady percentiles.`;
    await requireRole(db, workspace, "viewer", user.id);
    throw tooMuch(detail);
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

/** The draws of it all. */
export function checkCost({ deals, periods }: { deals: number; periods: number }, runs: number): number {
  if (periods * runs > MOST_CELLS)
    throw tooMuch(
      `${runs.toLocaleString("en")} runs over ${periods} periods are more than a function has room for. Ask for at most ${Math.floor(MOST_CELLS / periods).toLocaleString("en")} runs, or for fewer periods.`,
    );
  const draws = deals * runs;
  if (draws <= MOST_DRAWS) return draws;
  const millions = (count: number) => `${Math.round(count / 1e6)} million`;
  throw tooMuch(
    `This asks for ${millions(draws)} draws (deals × scenarios × runs, and periods likewise); ${millions(MOST_DRAWS)} are possible. Ask for fewer runs or fewer scenarios, name the deals, or leave out unlikely ones with confidence_threshold.`,
  );
}

function tooMuch(detail: string): HttpProblem {
  return problem(422, "too_many_runs", detail, { extra: { errors: [{ field: "runs", message: detail }] } });
}
