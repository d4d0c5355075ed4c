import { type CrmAccount, type CrmProvider, type CrmTokens, ENTITY_TYPES, PROVIDER_NAMES } from "../crm/contract.ts";
import { connect } from "../db/sql/connections.ts";
import { keepFields } from "../db/sql/fields.ts";
import { type OAuthConsumed, oauthConsume } from "../db/sql/oauth.ts";
import { clientSecret } from "../db/sql/tokens.ts";
import { traced } from "../db/trace.ts";
import type { CallerTrace } from "../db/types.ts";
import type { User } from "../http/auth.ts";
import { problem } from "../http/problem.ts";
import { defaultMappings, defaultStageMap } from "../sync/defaults/index.ts";
import { shownConnection } from "./access.ts";
import type { ConnectDeps } from "./deps.ts";
import type { CallbackInput } from "./schemas.ts";
import { hashOf } from "./secrets.ts";

/**
 * Everything that can fail happens before the one transaction that makes the connection: a refusal anywhere leaves no row.
 * The state is used up first, so a second try with the same one fails even while the first is still running.
 */
export async function finish(deps: ConnectDeps, user: User, caller: CallerTrace, input: CallbackInput) {
  const attempt = await oauthConsume(deps.db, {
    actor: user.id,
    stateHash: await hashOf(input.state),
    browserKeyHash: await hashOf(input.browser_key),
  });
  if (input.code === undefined) throw declined(attempt, input.error ?? "");
  const provider = deps.provider(attempt.provider);
  const secret = await clientSecret(deps.db, attempt.provider);
  const tokens = await provider.exchangeCode({
    code: input.code,
    codeVerifier: attempt.code_verifier,
    redirectUri: attempt.redirect_uri,
    clientSecret: secret,
    environment: attempt.environment,
  });
  if (tokens.refreshToken === null) throw noRefreshToken(attempt);
  const session = { accessToken: tokens.accessToken, instanceUrl: tokens.instanceUrl, externalAccountId: "" };
  const account = await provider.identify(session, secret);
  const configId = await save(deps, user, { attempt, provider, tokens, account, caller });
  return { config: await shownConnection(deps.db, user, configId) };
}

interface Granted {
  attempt: OAuthConsumed;
  provider: CrmProvider;
  tokens: CrmTokens;
  account: CrmAccount;
  caller: CallerTrace;
}

async function save(deps: ConnectDeps, user: User, granted: Granted): Promise<string> {
  const { attempt, provider, tokens, account, caller } = granted;
  const { described, ...proposals } = await defaults(provider, tokens, account);
  const request = {
    actor: user.id,
    workspace: attempt.workspace_id,
    provider: attempt.provider,
    environment: attempt.environment,
    account: {
      external_account_id: account.externalAccountId,
      external_account_name: account.externalAccountName,
      instance_url: account.instanceUrl,
      user_id: account.userId,
      user_email: account.userEmail,
      time_zone: account.timeZone ?? null,
    },
    tokens: {
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      expires_at: tokens.expiresAt,
      scopes: tokens.scopes,
    },
    ...proposals,
  };
  return traced(deps.db, caller, async (db) => {
    const configId = await connect(db, request);
    for (const { entity, fields } of described) await keepFields(db, configId, entity, fields);
    return configId;
  });
}

/** What the CRM looks like, and what we propose to do with it. */
async function defaults(provider: CrmProvider, tokens: CrmTokens, account: CrmAccount) {
  const session = {
    accessToken: tokens.accessToken,
    instanceUrl: account.instanceUrl,
    externalAccountId: account.externalAccountId,
  };
  const [described, stages, owners] = await Promise.all([
    Promise.all(ENTITY_TYPES.map(async (entity) => ({ entity, fields: await provider.describe(session, entity) }))),
    provider.stages(session),
    provider.owners(session),
  ]);
  return {
    described,
    mappings: described.flatMap(({ entity, fields }) => defaultMappings(provider.id, entity, fields)),
    stages: defaultStageMap(stages),
    owners: owners.map(({ id, email, name }) => ({ crm_user_id: id, email, name })),
  };
}

function declined({ provider }: OAuthConsumed, error: string) {
  const crm = PROVIDER_NAMES[provider];
  const detail =
    error === "access_denied"
      ? `Access was declined in ${crm}, so nothing was connected. Start again and allow access to go on.`
      : `${crm} ended the sign-in (${error}), so nothing was connected. Start again.`;
  return problem(400, error === "access_denied" ? "consent_denied" : "consent_failed", detail);
}

function noRefreshToken({ provider }: OAuthConsumed) {
  return problem(
    422,
    "no_refresh_token",
    `${PROVIDER_NAMES[provider]} gave access for one session only, so nothing was connected. Allow the app offline access (scope refresh_token) and start again.`,
  );
}
