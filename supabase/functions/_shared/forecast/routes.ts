import { type Route, route } from "../http/handle.ts";
import { availability } from "./availability.ts";
import { candidates } from "./candidates.ts";
import type { ForecastDeps } from "./deps.ts";
import { explained } from "./faults.ts";
import { importFile } from "./import.ts";
import { IMPORT_BODY_LIMIT, importInput } from "./importSchema.ts";
import { askedForecast, askedResources, askedWhatIf } from "./requests.ts";
import { answerRun } from "./run.ts";
import {
  availabilityInput,
  candidatesInput,
  forecastInput,
  resourceForecastInput,
  whatIfInput,
  workInput,
} from "./schemas.ts";
import { work } from "./worker.ts";

export function forecastRoutes(deps: ForecastDeps): Route[] {
  return [
    route({
      method: "POST",
      path: "/forecast",
      auth: "user",
      schema: forecastInput,
      run: ({ input, user }) => explained(() => answerRun(deps, user, askedForecast(input))),
    }),
    route({
      method: "POST",
      path: "/what-if",
      auth: "user",
      schema: whatIfInput,
      run: ({ input, user }) => explained(() => answerRun(deps, user, askedWhatIf(input))),
    }),
    route({
      method: "POST",
      path: "/resource-forecast",
      auth: "user",
      schema: resourceForecastInput,
      run: ({ input, user }) => explained(() => answerRun(deps, user, askedResources(input))),
    }),
    route({
      method: "POST",
      path: "/availability",
      auth: "user",
      schema: availabilityInput,
      run: ({ input, user }) => explained(async () => ({ body: { deals: await availability(deps, user, input) } })),
    }),
    route({
      method: "POST",
      path: "/candidates",
      auth: "user",
      schema: candidatesInput,
      run: ({ input, user }) => explained(async () => ({ body: await candidates(deps, user, input) })),
    }),
    route({
      method: "POST",
      path: "/import",
      auth: "user",
      schema: importInput,
      bodyLimit: IMPORT_BODY_LIMIT,
      run: async ({ input, user }) => ({ body: await importFile(input, user, deps.db) }),
    }),
    route({
      method: "POST",
      path: "/work",
      auth: "dispatch",
      schema: workInput,
      run: async ({ input, log }) => {
        deps.background(
          work(deps, input, log).catch((error: unknown) => log.error("work broke off", { error: String(error) })),
        );
        return { status: 202, body: { accepted: true } };
      },
    }),
  ];
}
