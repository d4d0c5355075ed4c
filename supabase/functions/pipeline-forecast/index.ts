import { forecastRoutes } from "../_shared/forecast/routes.ts";
import { serve } from "../_shared/http/serve.ts";

/**
 * Forecasts, what-if calculations, demand for people, and who could take it. The arithmetic is in _shared/planning; large
 * calculations are done in the background and shown in pipeline_forecast_runs.
 */
serve("pipeline-forecast", ({ db, now, background }) =>
  forecastRoutes({ db, now, background, breathe: () => new Promise((resolve) => setTimeout(resolve, 0)) }),
);
