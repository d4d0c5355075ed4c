import type { Connection } from "jsforce/lib/connection.js";
import { z } from "zod";
import {
  type AuthorizeRequest,
  type CrmAccount,
  CrmFailure,
  type CrmSession,
  type CrmTokens,
  type ExchangeRequest,
  type TokenRequest,
} from "../contract.ts";
import { failure, malformed } from "../errors.ts";
import { assertAllowed, type HostRules } from "../hosts.ts";
import type { Wire } from "../wire.ts";
import { call, connect, oauthClient, type SalesforceSettings } from "./connection.ts";
import { CRM } from "./errors.ts";
import { id18 } from "./ids.ts";
import { queryAll } from "./query.ts";

/** `api` reads and writes records, `refresh_token` keeps the connection, `id` tells whose it is. */
const SCOPES = "api refresh_token id";

const tokenAnswer = z.object({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1).optional(),
  instance_url: z.url(),
  scope: z.string().default(""),
});

const userInfo = z.object({
  user_id: z.string().min(15),
  organization_id: z.string().min(15),
  email: z.string().nullish(),
});

const organization = z.object({ Name: z.string().min(1) });

export function salesforceAuth(settings: SalesforceSettings, wire: Wire, hosts: HostRules) {
  return {
    authorizeUrl: ({ state, codeChallenge, redirectUri, environment }: AuthorizeRequest) =>
      oauthClient(settings, wire, { environment, redirectUri }).getAuthorizationUrl({
        scope: SCOPES,
        state,
        code_challenge: codeChallenge,
        code_challenge_method: "S256", // the library leaves it out
      }),

    async exchangeCode(request: ExchangeRequest): Promise<CrmTokens> {
      const client = oauthClient(settings, wire, request);
      client.codeVerifier = request.codeVerifier;
      try {
        return readTokens(await call(() => client.requestToken(request.code)), hosts);
      } catch (error) {
        throw asUsedCode(error);
      }
    },

    async refresh({ refreshToken, ...request }: TokenRequest): Promise<CrmTokens> {
      const client = oauthClient(settings, wire, request);
      return readTokens(await call(() => client.refreshToken(refreshToken)), hosts);
    },

    async revoke({ refreshToken, ...request }: TokenRequest): Promise<void> {
      const client = oauthClient(settings, wire, request);
      await ignoringUnknownToken(() => call(() => client.revokeToken(refreshToken)));
    },

    async identify(session: CrmSession): Promise<CrmAccount> {
      const connection = connect(session, settings, wire);
      const answer = await call(() => connection.request("/services/oauth2/userinfo"));
      const user = parsed(userInfo, answer);
      return {
        externalAccountId: id18(user.organization_id),
        externalAccountName: await organizationName(connection, session),
        instanceUrl: session.instanceUrl,
        userId: id18(user.user_id),
        userEmail: user.email ?? null,
      };
    },
  };
}

/** A user who may not read the organisation can still connect it: then it goes by its domain. */
async function organizationName(connection: Connection, session: CrmSession): Promise<string> {
  try {
    const [org] = await queryAll(connection, "SELECT Id, Name FROM Organization");
    return parsed(organization, org).Name;
  } catch (error) {
    if (error instanceof CrmFailure && error.detail.kind === "rejected") return new URL(session.instanceUrl).host;
    throw error;
  }
}

function readTokens(answer: unknown, hosts: HostRules): CrmTokens {
  const tokens = parsed(tokenAnswer, answer);
  assertAllowed(tokens.instance_url, hosts, CRM);
  return {
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token ?? null,
    expiresAt: null, // Salesforce does not tell: a 401 does
    scopes: tokens.scope.split(" ").filter((scope) => scope !== ""),
    instanceUrl: new URL(tokens.instance_url).origin,
  };
}

/** The same `invalid_grant` that ends a connection means a stale code when there is none yet. */
function asUsedCode(error: unknown): unknown {
  if (!(error instanceof CrmFailure) || error.detail.kind !== "revoked") return error;
  return failure(
    "rejected",
    "invalid_code",
    "Salesforce did not accept the sign-in code: it was used before or is too old. Nothing was stored; start connecting again.",
    { cause: error.detail.cause },
  );
}

/** Revoking what is revoked already is what was wanted. */
async function ignoringUnknownToken(revoke: () => Promise<void>): Promise<void> {
  try {
    await revoke();
  } catch (error) {
    if (
      !(error instanceof CrmFailure) ||
      !["invalid_token", "invalid_grant", "unsupported_token_type"].includes(error.detail.code)
    )
      throw error;
  }
}

function parsed<T>(schema: z.ZodType<T>, answer: unknown): T {
  const result = schema.safeParse(answer);
  if (!result.success) throw malformed(CRM, z.prettifyError(result.error));
  return result.data;
}
