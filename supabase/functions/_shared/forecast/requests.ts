import type { InputsAsk } from "../db/sql/forecast.ts";
import type { RunKind } from "../db/sql/forecastRuns.ts";
import { MAX_PERIODS } from "../planning/time/periods.ts";
import type { ForecastInput, ResourceForecastInput, WhatIfInput } from "./schemas.ts";

/** What of a body decides the digits: the request as it is hashed and kept, and what has to be read for it. */

export type ForecastRequest = Omit<ForecastInput, "workspace_id" | "wait">;
export type WhatIfRequest = Omit<WhatIfInput, "workspace_id" | "wait">;
/** Weeks are not named, months are. */
export type ResourceRequest = Omit<ResourceForecastInput, "workspace_id" | "wait" | "grain"> & { grain?: "month" };

export interface Asked {
  workspace: string;
  kind: RunKind;
  request: (ForecastRequest | WhatIfRequest | ResourceRequest) & { runs: number; seed: number | null };
  ask: InputsAsk;
  wait: boolean;
}

export function askedForecast({ workspace_id, wait, ...request }: ForecastInput, kind: RunKind = "forecast"): Asked {
  const scenarios = request.scenario_id === null ? {} : { scenario_ids: [request.scenario_id] };
  return { workspace: workspace_id, kind, request, wait, ask: { ...revenueAsk(request), ...scenarios } };
}

export function askedWhatIf({ workspace_id, wait, ...request }: WhatIfInput): Asked {
  const scenarios = request.scenario_ids === null ? {} : { scenario_ids: request.scenario_ids };
  return { workspace: workspace_id, kind: "what_if", request, wait, ask: { ...revenueAsk(request), ...scenarios } };
}

export function askedResources({ workspace_id, wait, grain, ...rest }: ResourceForecastInput): Asked {
  const request: ResourceRequest & Asked["request"] = grain === "month" ? { ...rest, grain } : rest;
  const statuses = request.include_active_scenarios_only ? ["active"] : ["active", "draft"];
  return {
    workspace: workspace_id,
    kind: "resource_forecast",
    request,
    wait,
    ask: {
      ...(request.as_of === null ? {} : { as_of: request.as_of }),
      grain: "week",
      periods: weeksOf(request.forecast_months),
      ...(grain === "month" ? { months: request.forecast_months } : {}),
      scenario_statuses: statuses,
      work: true,
    },
  };
}

/** Whole weeks that cover the months, as far as weeks go. */
export const weeksOf = (months: number) => Math.min(MAX_PERIODS.week, Math.ceil((months * 365.25) / 12 / 7));

function revenueAsk(request: ForecastRequest | WhatIfRequest): InputsAsk {
  const { as_of, grain, periods, pipeline_project_ids, include_new_business } = request;
  return {
    ...(as_of === null ? {} : { as_of }),
    grain,
    ...(periods === null ? {} : { periods }),
    ...(pipeline_project_ids === null ? {} : { pipeline_project_ids }),
    new_business: include_new_business,
  };
}
