import type { z } from "zod";
import {
  callbackInput,
  configInput,
  fieldsInput,
  startInput,
} from "../../../supabase/functions/_shared/connect/schemas.ts";

/** Bodies of the Edge Functions, by route: the very schemas that the functions check with. */
export const functionContracts = {
  "crm-oauth/start": startInput,
  "crm-oauth/callback": callbackInput,
  "crm-oauth/test-connection": configInput,
  "crm-oauth/available-fields": fieldsInput,
  "crm-oauth/disconnect": configInput,
} as const;

export type FunctionRoute = keyof typeof functionContracts;
export type FunctionBody<Route extends FunctionRoute> = z.input<(typeof functionContracts)[Route]>;
