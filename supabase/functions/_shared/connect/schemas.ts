import { z } from "zod";
import { PROVIDER_IDS } from "../crm/contract.ts";

const secretText = z
  .string()
  .min(16)
  .max(256)
  .regex(/^[\w.~-]+$/, "has characters that do not belong there");

/** `https` for every app but one that runs on the same machine; which ones are welcome is a setting. */
const returnUrl = z
  .url({ protocol: /^https?$/ })
  .max(2000)
  .refine((address) => !address.includes("#"), "may not have a fragment");

export const startInput = z.object({
  workspace_id: z.uuid(),
  provider: z.enum(PROVIDER_IDS),
  environment: z.enum(["production", "sandbox"]).default("production"),
  return_url: returnUrl,
});

/** What a CRM puts into the address of the redirect. */
export const redirectInput = z.object({
  state: z.string().max(256).default(""),
  code: z.string().min(1).max(4000).optional(),
  error: z.string().min(1).max(200).optional(),
  error_description: z.string().max(2000).optional(),
});

export const callbackInput = z
  .object({
    state: secretText,
    browser_key: secretText,
    code: z.string().min(1).max(4000).optional(),
    /** The redirect's `crm_error`, to give the attempt up. */
    error: z.string().min(1).max(200).optional(),
  })
  .refine(({ code, error }) => (code === undefined) !== (error === undefined), "Send either code or error.");

export const configInput = z.object({ config_id: z.uuid() });

export type StartInput = z.infer<typeof startInput>;
export type RedirectInput = z.infer<typeof redirectInput>;
export type CallbackInput = z.infer<typeof callbackInput>;
export type ConfigInput = z.infer<typeof configInput>;
