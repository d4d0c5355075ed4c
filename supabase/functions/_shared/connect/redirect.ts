import { oauthPeek } from "../db/sql/oauth.ts";
import { problem } from "../http/problem.ts";
import type { ConnectDeps } from "./deps.ts";
import { assertReturnUrl, withResult } from "./returnUrl.ts";
import type { RedirectInput } from "./schemas.ts";
import { hashOf } from "./secrets.ts";

/**
 * The browser comes back from the CRM without any session of ours, so nothing is decided here: it is sent on to the app
 * that started, which finishes with its user's session. A state that we do not know goes nowhere.
 */
export async function redirect(deps: ConnectDeps, input: RedirectInput): Promise<Response> {
  if (input.state === "") {
    throw problem(400, "state_missing", "The CRM sent no state along. Start connecting again from the app.");
  }
  const { return_url: returnUrl } = await oauthPeek(deps.db, await hashOf(input.state));
  assertReturnUrl(returnUrl, deps.settings().returnUrls);
  const location = withResult(returnUrl, { ...outcome(input), crm_state: input.state });
  return new Response(null, { status: 303, headers: { location, "referrer-policy": "no-referrer" } });
}

function outcome({ code, error, error_description: description }: RedirectInput): Record<string, string> {
  if (error !== undefined) return { crm_error: error, ...(description ? { crm_error_description: description } : {}) };
  if (code !== undefined) return { crm_code: code };
  return { crm_error: "no_code", crm_error_description: "The CRM sent neither a code nor an error." };
}
