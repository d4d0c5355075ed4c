import { oauthBegin } from "../db/sql/oauth.ts";
import { clientSecret } from "../db/sql/tokens.ts";
import type { User } from "../http/auth.ts";
import type { ConnectDeps } from "./deps.ts";
import { assertReturnUrl } from "./returnUrl.ts";
import type { StartInput } from "./schemas.ts";
import { codeChallenge, hashOf, randomText } from "./secrets.ts";

/**
 * Three secrets, each known where it is needed and nowhere else: the state goes round through the CRM (we keep its hash),
 * the browser key stays with the browser that started (we keep its hash), the verifier stays with us.
 */
export async function start(deps: ConnectDeps, user: User, input: StartInput) {
  const { redirectUri, returnUrls } = deps.settings();
  assertReturnUrl(input.return_url, returnUrls);
  const provider = deps.provider(input.provider);
  await clientSecret(deps.db, input.provider); // missing: said now, not after the person has consented
  const state = randomText(deps.random, 32);
  const browserKey = randomText(deps.random, 32);
  const codeVerifier = randomText(deps.random, 64);
  const expiresAt = await oauthBegin(deps.db, {
    actor: user.id,
    workspace: input.workspace_id,
    provider: input.provider,
    environment: input.environment,
    stateHash: await hashOf(state),
    browserKeyHash: await hashOf(browserKey),
    codeVerifier,
    returnUrl: input.return_url,
    redirectUri,
  });
  const authorizeUrl = provider.authorizeUrl({
    state,
    codeChallenge: await codeChallenge(codeVerifier),
    redirectUri,
    environment: input.environment,
  });
  return { authorize_url: authorizeUrl, browser_key: browserKey, expires_at: expiresAt.toISOString() };
}
