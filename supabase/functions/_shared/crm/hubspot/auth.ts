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
import { failure, malformed, SESSION_EXPIRED } from "../errors.ts";
import type { Wire } from "../wire.ts";
import { APP_CODES, CRM } from "./errors.ts";

export interface HubSpotSettings {
  clientId: string;
  authorizeUrl: string;
  apiUrl: string;
}

/** The dated endpoints: the client library still calls v1, which ends on 2027-02-16 and drops hub_id and scopes. */
const OAUTH = "/oauth/2026-03/token";

const OBJECTS = ["companies", "contacts", "deals"];
const SCOPES = [
  "oauth",
  ...OBJECTS.flatMap((object) => [
    `crm.objects.${object}.read`,
    `crm.objects.${object}.write`,
    `crm.schemas.${object}.read`,
  ]),
  "crm.objects.owners.read",
];

const id = z.union([z.string().min(1), z.number()]).transform(String);

const tokenAnswer = z.object({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1).optional(),
  expires_in: z.number().positive(),
  scopes: z.array(z.string()).default([]),
});

const introspection = z.object({
  active: z.boolean().default(true),
  hub_domain: z.string().nullish(),
  user: z.string().nullish(),
  user_id: id.nullish(),
});

const details = z.object({ portalId: id, timeZone: z.string().optional() });

interface Access {
  settings: HubSpotSettings;
  wire: Wire;
  now: () => Date;
}

export function hubspotAuth(settings: HubSpotSettings, wire: Wire, now: () => Date) {
  const access: Access = { settings, wire, now };
  return {
    authorizeUrl: (request: AuthorizeRequest) => authorizeUrl(settings, request),
    exchangeCode: (request: ExchangeRequest) => renamed(asUsedCode, () => exchangeCode(access, request)),
    refresh: (request: TokenRequest) => renamed(asRevoked, () => refresh(access, request)),
    revoke: (request: TokenRequest) => renamed(asRevoked, () => revoke(access, request)).catch(ignoreRevoked),
    identify: (session: CrmSession, clientSecret: string) => identify(access, session, clientSecret),
  };
}

function exchangeCode(access: Access, request: ExchangeRequest): Promise<CrmTokens> {
  return askForTokens(access, {
    grant_type: "authorization_code",
    code: request.code,
    code_verifier: request.codeVerifier,
    redirect_uri: request.redirectUri,
    client_secret: request.clientSecret,
  });
}

function refresh(access: Access, { refreshToken, clientSecret }: TokenRequest): Promise<CrmTokens> {
  const form = { grant_type: "refresh_token", refresh_token: refreshToken, client_secret: clientSecret };
  return askForTokens(access, form);
}

async function revoke(access: Access, { refreshToken, clientSecret }: TokenRequest): Promise<void> {
  const form = { token: refreshToken, token_type_hint: "refresh_token", client_secret: clientSecret };
  await post(access, `${OAUTH}/revoke`, form);
}

async function identify(access: Access, session: CrmSession, clientSecret: string): Promise<CrmAccount> {
  const form = { token: session.accessToken, token_type_hint: "access_token", client_secret: clientSecret };
  const who = parsed(introspection, await post(access, `${OAUTH}/introspect`, form));
  if (!who.active) throw inactive();
  const account = parsed(details, await accountDetails(access, session));
  return {
    externalAccountId: account.portalId,
    externalAccountName: who.hub_domain || `HubSpot account ${account.portalId}`,
    instanceUrl: session.instanceUrl,
    userId: who.user_id ?? "",
    userEmail: who.user ?? null,
    timeZone: account.timeZone,
  };
}

async function post({ settings, wire }: Access, path: string, form: Record<string, string>): Promise<string> {
  const { text } = await wire({
    method: "POST",
    url: settings.apiUrl + path,
    headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
    body: new URLSearchParams({ client_id: settings.clientId, ...form }).toString(),
    repeatable: false, // a code and a rotated token work once
    family: "write",
  });
  return text;
}

function authorizeUrl(settings: HubSpotSettings, request: AuthorizeRequest): string {
  const url = new URL(settings.authorizeUrl);
  url.search = new URLSearchParams({
    client_id: settings.clientId,
    redirect_uri: request.redirectUri,
    scope: SCOPES.join(" "),
    state: request.state,
    code_challenge: request.codeChallenge,
    code_challenge_method: "S256",
  }).toString();
  return url.toString();
}

/** The proof that the token works for data, and the account it works for. */
async function accountDetails({ wire }: Access, session: CrmSession): Promise<string> {
  const { text } = await wire({
    method: "GET",
    url: `${session.instanceUrl}/account-info/v3/details`,
    headers: { authorization: `Bearer ${session.accessToken}`, accept: "application/json" },
    repeatable: true,
    family: "read",
    gate: session.gate,
  });
  return text;
}

async function askForTokens(access: Access, form: Record<string, string>): Promise<CrmTokens> {
  const tokens = parsed(tokenAnswer, await post(access, OAUTH, form));
  return {
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token ?? null,
    expiresAt: new Date(access.now().getTime() + tokens.expires_in * 1000).toISOString(),
    scopes: tokens.scopes,
    instanceUrl: access.settings.apiUrl,
  };
}

async function renamed<T>(rename: (error: unknown) => unknown, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw rename(error);
  }
}

/** There is no connection yet that could end. */
function asUsedCode(error: unknown): unknown {
  if (!(error instanceof CrmFailure) || error.detail.kind !== "revoked") return error;
  return failure(
    "rejected",
    "invalid_code",
    "HubSpot did not accept the sign-in code: it was used before or is too old. Nothing was stored; start connecting again.",
    { cause: error.detail.cause },
  );
}

/** HubSpot refuses a dead refresh token in several shapes; what does not blame the app blames the token. */
function asRevoked(error: unknown): unknown {
  if (!(error instanceof CrmFailure) || error.detail.kind !== "rejected" || APP_CODES.has(error.detail.code))
    return error;
  return failure(
    "revoked",
    error.detail.code,
    "HubSpot no longer accepts this connection: access was withdrawn or the app was removed. Connect HubSpot again to go on; mappings and links are kept.",
    { cause: error.detail.cause },
  );
}

/** Introspection answers 200 for a token that ran out: it is the same news as a 401. */
function inactive(): CrmFailure {
  return failure("revoked", SESSION_EXPIRED, "HubSpot says that this access is not active. Connect HubSpot again.");
}

/** Revoking what is revoked already is what was wanted. */
function ignoreRevoked(error: unknown): void {
  if (!(error instanceof CrmFailure) || error.detail.kind !== "revoked") throw error;
}

function parsed<T>(schema: z.ZodType<T>, text: string): T {
  const result = schema.safeParse(parseJson(text));
  if (!result.success) throw malformed(CRM, z.prettifyError(result.error));
  return result.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(CRM, error);
  }
}
