import { ADMIN, MEMBER, WORKSPACE } from "../connect/testing.ts";
import type { ForecastInputs, InputDeal, InputDemand, InputScenario } from "../db/sql/forecast.ts";
import { type Answers, answering, roleCheck } from "../db/testing.ts";
import { callers } from "../http/testing.ts";
import type { ForecastDeps } from "./deps.ts";
import { forecastRoutes } from "./routes.ts";

/** Stand-ins for the tests of this folder: a workspace with a few deals, and a clock that moves when it is looked at. */

export const VIEWER = { id: "77777777-7777-4777-8777-777777777777", email: "viewer@demo.example" };
export const RUN = "99999999-9999-4999-8999-999999999999";
const ROLES = { [ADMIN.id]: "admin", [MEMBER.id]: "member", [VIEWER.id]: "viewer" };

export const dealRow = (id: string, more: Partial<InputDeal> = {}): InputDeal => ({
  id,
  name: `Deal ${id}`,
  client: null,
  stage: "proposal",
  value: 1_000,
  currency: "USD",
  probability: 60,
  close_date: "2026-12-10",
  start_date: null,
  duration: null,
  opened_on: "2026-10-01",
  ...more,
});

export const demandRow = (id: string, deal: string, more: Partial<InputDemand> = {}): InputDemand => ({
  id,
  deal_id: deal,
  skill: "react",
  is_category: false,
  level: null,
  count: 1,
  percentage: 100,
  start_date: null,
  end_date: null,
  critical: false,
  alternatives: [],
  staffed: [],
  ...more,
});

export const scenarioRow = (id: string, more: Partial<InputScenario> = {}): InputScenario => ({
  id,
  name: `Scenario ${id}`,
  status: "active",
  updated_at: "2026-11-01T00:00:00Z",
  forecast_months: 12,
  seed: null,
  conversion_rates: {},
  template_rates: null,
  confidence_threshold: null,
  deal_ids: [],
  edits: [],
  ...more,
});

const stage = (key: string, kind: "open" | "won" | "lost" | "on_hold", rate: number, aliases: string[] = []) => ({
  key,
  label: key,
  kind,
  default_rate: rate,
  aliases,
});

export function inputsOf(more: Partial<ForecastInputs> = {}): ForecastInputs {
  return {
    as_of: "2026-11-02",
    settings: {
      currency: "USD",
      exchange_rates: {},
      commit_from: 0.7,
      confidence_threshold: 0,
      min_deals: 20,
      prior_weight: 10,
      trust_deals: true,
      client_correlation: 0.2,
      template_rates: {},
      hiring: { lead_weeks: 8, availability: 1, min_weeks: 2 },
    },
    stages: [
      stage("lead", "open", 0.1),
      stage("proposal", "open", 0.6),
      stage("negotiation", "open", 0.8),
      stage("won", "won", 1, ["closed_won"]),
      stage("lost", "lost", 0),
    ],
    learned: [],
    scenarios: [],
    deals: [],
    shifts: [],
    lives: [],
    ...more,
  };
}

/** What the database keeps of runs, as far as the shell looks at it. */
export class ForecastWorld {
  inputs = inputsOf();
  wait = 0;
  /** Verbs that were called, in order. */
  calls: string[] = [];
  kept: { kind: string; hash: string; seed: number; queued: boolean; result: object | null } | null = null;
  failed: { code: string; message: string } | null = null;
  /** Progress calls that are answered with "go on"; then the run is somebody else's. */
  patience = Number.POSITIVE_INFINITY;
  told: { done: number; total: number }[] = [];

  get db() {
    const noted = (name: string, answer: Answers[string]): Answers => ({
      [`private.${name}`]: (params) => {
        this.calls.push(name);
        return answer(params);
      },
    });
    return answering({
      ...roleCheck(WORKSPACE, ROLES),
      ...noted("forecast_take_token", () => [{ wait: this.wait }]),
      ...noted("forecast_inputs", () => [{ inputs: this.inputs }]),
      ...noted("forecast_begin", ([, , kind, , , , hash, , seed, , queued]) => {
        const reused = this.kept?.hash === hash;
        if (!reused)
          this.kept = {
            kind: String(kind),
            hash: String(hash),
            seed: Number(seed),
            queued: Boolean(queued),
            result: null,
          };
        const status = reused && this.kept?.result != null ? "completed" : queued ? "queued" : "running";
        return [{ run_id: RUN, status, reused, fence: reused || queued ? null : "1" }];
      }),
      ...noted("forecast_progress", ([, , progress]) => {
        this.told.push(JSON.parse(String(progress)));
        return [{ held: this.told.length <= this.patience }];
      }),
      ...noted("forecast_finish", ([, , result]) => {
        if (this.kept !== null) this.kept.result = JSON.parse(String(result));
        return [{ held: true }];
      }),
      ...noted("forecast_fail", ([, , code, message]) => {
        this.failed = { code: String(code), message: String(message) };
        return [{ held: true }];
      }),
      "public.pipeline_forecast_results": () => [{ result: this.kept?.result, seed: this.kept?.seed }],
    });
  }
}

/** The function as its callers see it; it begins signed in as a member. `tick`: ms that pass between two looks at the clock. */
export function setUp({ tick = 0 } = {}) {
  const world = new ForecastWorld();
  let time = 0;
  const deps: ForecastDeps = {
    db: world.db,
    now: () => {
      time += tick;
      return new Date(time);
    },
    breathe: async () => {},
    background: () => {},
  };
  const { post, ...rest } = callers("pipeline-forecast", forecastRoutes(deps), MEMBER);
  return {
    ...rest,
    world,
    deps,
    ask: (route: string, more: object = {}) => post(`/${route}`, { workspace_id: WORKSPACE, ...more }),
    post,
  };
}
