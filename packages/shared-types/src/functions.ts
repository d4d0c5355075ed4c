import type { z } from "zod";
import { callbackInput, configInput, startInput } from "../../../supabase/functions/_shared/connect/schemas.ts";
import { importInput } from "../../../supabase/functions/_shared/forecast/importSchema.ts";
import {
  availabilityInput,
  candidatesInput,
  forecastInput,
  resourceForecastInput,
  whatIfInput,
} from "../../../supabase/functions/_shared/forecast/schemas.ts";
import {
  autoMapInput,
  checkTransformInput,
  fieldsInput,
  previewInput,
} from "../../../supabase/functions/_shared/mapper/schemas.ts";

/** Bodies of the Edge Functions, by route: the very schemas that the functions check with. */
export const functionContracts = {
  "crm-oauth/start": startInput,
  "crm-oauth/callback": callbackInput,
  "crm-oauth/test-connection": configInput,
  "crm-oauth/disconnect": configInput,
  "crm-mapping/available-fields": fieldsInput,
  "crm-mapping/auto-map": autoMapInput,
  "crm-mapping/preview": previewInput,
  "crm-mapping/check-transform": checkTransformInput,
  "pipeline-forecast/forecast": forecastInput,
  "pipeline-forecast/what-if": whatIfInput,
  "pipeline-forecast/resource-forecast": resourceForecastInput,
  "pipeline-forecast/availability": availabilityInput,
  "pipeline-forecast/candidates": candidatesInput,
  "pipeline-forecast/import": importInput,
} as const;

export type FunctionRoute = keyof typeof functionContracts;
export type FunctionBody<Route extends FunctionRoute> = z.input<(typeof functionContracts)[Route]>;
