import { readProblem } from "../../lib/oauth-browser.ts";
import type { Client } from "../../lib/people.ts";
import type { Band, CapacityMap, ForecastMonth, FunnelStage, HiringRow, RevenueOutlook } from "../report/data.ts";

/** All that the report shows, read as any client reads it. */

/** PC008: the job of each minute is at it; 57014: the machine is too busy for so many deals in one call. The job has no such limit. */
const LEFT_TO_THE_JOB = new Set(["PC008", "57014"]);
const REFRESH_MS = 300_000;

export async function refreshAnalytics(client: Client, workspaceId: string, told: (deals: number) => void) {
  const until = Date.now() + REFRESH_MS;
  for (let deals = 0; ; ) {
    const { data, error } = await client.rpc("refresh_analytics", { workspace_id: workspaceId });
    if (error !== null && (!LEFT_TO_THE_JOB.has(error.code) || Date.now() > until))
      throw new Error(`Could not refresh the analytics: ${error.message}`, { cause: error });
    if (error !== null) await pause(2_000);
    else {
      const state = data as { deals: number; more: boolean };
      deals += state.deals;
      // Nothing: the job was quicker.
      if (deals > 0) told(deals);
      if (!state.more) return;
    }
  }
}

export async function readFunnel(client: Client, workspaceId: string): Promise<FunnelStage[]> {
  const { data, error } = await client
    .from("pipeline_summary")
    .select("stage_key, label, position, kind, opportunities, value, weighted_value")
    .eq("workspace_id", workspaceId)
    .order("position");
  if (error) throw new Error(`Could not read the pipeline: ${error.message}`, { cause: error });
  const stages = new Map<string, FunnelStage>();
  for (const row of data) {
    const stage = String(row.stage_key);
    const before = stages.get(stage) ?? {
      stage,
      label: String(row.label),
      kind: kindOf(row.kind),
      deals: 0,
      value: 0,
      weighted: 0,
    };
    stages.set(stage, {
      ...before,
      deals: before.deals + Number(row.opportunities),
      value: before.value + Number(row.value),
      weighted: before.weighted + Number(row.weighted_value),
    });
  }
  return [...stages.values()];
}

const KINDS = ["open", "on_hold", "won", "lost"] as const;
const kindOf = (kind: unknown) => KINDS.find((known) => known === kind) ?? "open";

interface Answer {
  run_id: string;
  status: string;
  currency: string;
  runs: number;
  seed: number;
  periods: Omit<ForecastMonth, "withNew">[];
  total: Band;
}

interface ForecastQuestion {
  workspace_id: string;
  as_of: string;
  periods: number;
  runs: number;
  seed: number;
  include_new_business: boolean;
}

/** Two forecasts with the same draws: of the deals that are there, and with those that are still to come. */
export async function readOutlook(
  client: Client,
  question: Omit<ForecastQuestion, "include_new_business">,
  told: (done: number, total: number) => void,
): Promise<RevenueOutlook & { currency: string }> {
  const { currency, runs, seed, periods, total } = await ask(
    client,
    { ...question, include_new_business: false },
    told,
  );
  const all = await ask(client, { ...question, include_new_business: true }, told);
  return {
    currency,
    runs,
    seed,
    periods: periods.map((month, at) => ({ ...month, withNew: bandOf(all.periods[at] ?? month) })),
    total: { ...bandOf(total), withNew: bandOf(all.total) },
  };
}

const bandOf = ({ p10, p50, p90 }: Band): Band => ({ p10, p50, p90 });

/** A large forecast is calculated in the background: its row tells how far it is. */
async function ask(
  client: Client,
  question: ForecastQuestion,
  told: (done: number, total: number) => void,
): Promise<Answer> {
  const { data, error } = await client.functions.invoke("pipeline-forecast/forecast", { body: question });
  if (error) throw new Error(`Could not forecast: ${await readProblem(error)}`, { cause: error });
  const answer = data as Answer;
  if (answer.status === "completed") return answer;
  await ended(client, answer.run_id, told);
  const result = await client.rpc("forecast_result", { run_id: answer.run_id });
  if (result.error) throw new Error(`Could not read the forecast: ${result.error.message}`, { cause: result.error });
  return { ...answer, ...(result.data as unknown as Answer) };
}

async function ended(client: Client, runId: string, told: (done: number, total: number) => void): Promise<void> {
  for (;;) {
    const { data, error } = await client
      .from("pipeline_forecast_runs")
      .select("status, progress, error_message")
      .eq("id", runId)
      .single();
    if (error) throw new Error(`Could not follow the forecast: ${error.message}`, { cause: error });
    const { done, total } = data.progress as { done?: number; total?: number };
    if (done !== undefined && total !== undefined) told(done, total);
    if (data.status === "completed") return;
    if (data.status === "failed" || data.status === "cancelled")
      throw new Error(`The forecast is ${data.status}: ${data.error_message ?? "no reason was recorded"}`);
    await pause(200);
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function readCapacity(
  client: Client,
  workspaceId: string,
  from: string,
  weeks: number,
): Promise<CapacityMap> {
  const ask = { workspace_id: workspaceId, from_date: from, weeks, group_by: "skill" };
  const [hours, skills, people] = await Promise.all([
    client.rpc("capacity_weeks", ask),
    client.from("skills").select("key, label").eq("workspace_id", workspaceId).order("label"),
    client.from("employee_skills").select("skill_key").eq("workspace_id", workspaceId).eq("is_primary", true),
  ]);
  const error = hours.error ?? skills.error ?? people.error;
  if (error) throw new Error(`Could not read the capacity: ${error.message}`, { cause: error });
  const rows = hours.data ?? [];
  const mondays = [...new Set(rows.map(({ week }) => week))].sort();
  return {
    weeks: mondays,
    skills: (skills.data ?? []).map(({ key, label }) => ({
      skill: label,
      people: (people.data ?? []).filter(({ skill_key }) => skill_key === key).length,
      weeks: mondays.map((week) => {
        const here = rows.filter((row) => row.week === week && row.key === key);
        const sum = (pick: (row: (typeof rows)[number]) => number | null) =>
          here.reduce((total, row) => total + Number(pick(row) ?? 0), 0);
        return {
          capacity: sum((row) => row.capacity),
          allocated: sum((row) => row.allocated),
          demand: sum((row) => row.weighted_demand),
        };
      }),
    })),
  };
}

export async function readHiring(
  client: Client,
  workspaceId: string,
  from: string,
  weeks: number,
): Promise<HiringRow[]> {
  const ask = { workspace_id: workspaceId, from_date: from, weeks };
  const { data, error } = await client.rpc("hiring_need", ask);
  if (error) throw new Error(`Could not read whom to hire: ${error.message}`, { cause: error });
  return data.map(({ skill_key, category, level, people, needed_by, open_by, late }) => ({
    skill: skill_key ?? category,
    level,
    people,
    neededBy: needed_by,
    openBy: open_by,
    late,
  }));
}
