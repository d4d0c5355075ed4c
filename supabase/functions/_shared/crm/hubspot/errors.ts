import { z } from "zod";
import type { CrmError, CrmErrorKind } from "../contract.ts";
import { parseRetryAfter, quotaGone, SESSION_EXPIRED } from "../errors.ts";
import type { Limits, WireResponse } from "../wire.ts";
import { errorDetails, existingIdIn, readRefusal, short } from "./refusals.ts";

export const CRM = "HubSpot";

const LATER = "Nothing is lost; try again in a few minutes.";
const RECONNECT = "Connect HubSpot again to go on; mappings and links are kept.";

/** Every key may be missing: the API, its edge and the OAuth endpoints each have a shape of their own. */
const bodySchema = z.object({
  message: z.string().optional(),
  category: z.string().optional(),
  status: z.string().optional(),
  error: z.string().optional(),
  error_description: z.string().optional(),
  policyName: z.string().optional(),
  context: z.record(z.string(), z.array(z.string())).optional(),
  errors: errorDetails.optional(),
});
type Body = z.infer<typeof bodySchema>;

interface Said {
  response: WireResponse;
  body: Body;
  code: string;
  message: string;
  retryAfterMs: number | undefined;
  now: Date;
}

/** The first rule that fits reads the answer. */
const RULES: readonly { fits: (said: Said) => boolean; read: (said: Said) => CrmError }[] = [
  { fits: (said) => said.response.status === 429, read: readLimit },
  { fits: (said) => said.response.status === 477, read: readMigration },
  { fits: (said) => said.code in CODES, read: readCode },
  { fits: (said) => said.response.status === 401, read: readExpired },
  { fits: (said) => said.response.status === 403, read: readForbidden },
  {
    fits: (said) => said.response.status === 423,
    read: (said) => passing(said, Math.max(2000, said.retryAfterMs ?? 0)),
  },
  { fits: (said) => said.response.status >= 500, read: (said) => passing(said, said.retryAfterMs) },
];

const CODES: Record<string, { kind: CrmErrorKind; message: string }> = {
  invalid_grant: {
    kind: "revoked",
    message: `HubSpot no longer accepts this connection: access was withdrawn. ${RECONNECT}`,
  },
  BAD_REFRESH_TOKEN: {
    kind: "revoked",
    message: `HubSpot no longer accepts this connection: the app was removed from the account. ${RECONNECT}`,
  },
  BAD_AUTH_CODE: {
    kind: "rejected",
    message: "HubSpot did not accept the sign-in code: it was used before or is too old. Start connecting again.",
  },
  BAD_CLIENT_ID: { kind: "rejected", message: "HubSpot does not know this app. Check HUBSPOT_CLIENT_ID." },
  BAD_CLIENT_SECRET: {
    kind: "rejected",
    message: "HubSpot refused the app's own credentials. Check the Vault secret crm_hubspot_client_secret.",
  },
  invalid_client: {
    kind: "rejected",
    message:
      "HubSpot refused the app's own credentials. Check HUBSPOT_CLIENT_ID and the Vault secret crm_hubspot_client_secret.",
  },
  BAD_REDIRECT_URI: {
    kind: "rejected",
    message:
      "HubSpot refused the redirect address: it is not the one registered with the app. Register CRM_OAUTH_REDIRECT_URL there, exactly, and start again.",
  },
  redirect_uri_mismatch: {
    kind: "rejected",
    message:
      "HubSpot refused the redirect address: it is not the one registered with the app. Register CRM_OAUTH_REDIRECT_URL there, exactly, and start again.",
  },
};

/** Codes that speak of the app, not of the token: a refresh that fails with one of them does not end the connection. */
export const APP_CODES: ReadonlySet<string> = new Set([
  "BAD_CLIENT_ID",
  "BAD_CLIENT_SECRET",
  "invalid_client",
  "BAD_REDIRECT_URI",
  "redirect_uri_mismatch",
]);

export function classify(response: WireResponse, now: Date): CrmError {
  const body = readBody(response.text);
  const said: Said = {
    response,
    body,
    code: codeOf(body, response.status),
    message: short(body.error_description ?? body.message ?? ""),
    retryAfterMs: parseRetryAfter(response.headers["retry-after"], now),
    now,
  };
  const rule = RULES.find(({ fits }) => fits(said));
  const error = rule ? rule.read(said) : refused(said);
  const existingId = existingIdIn(body.message ?? "");
  return { ...error, cause: { status: response.status, code: said.code, message: said.message, existingId } };
}

/** `status` is a code on the old OAuth endpoints and the word "error" everywhere else. */
function codeOf(body: Body, status: number): string {
  const fromStatus = body.status !== undefined && body.status !== "error" ? body.status : undefined;
  return body.error ?? fromStatus ?? body.category ?? `http_${status}`;
}

const PAUSES: Record<string, number> = { SECONDLY: 1000, TEN_SECONDLY_ROLLING: 10_000 };

/** A plain 429 has no Retry-After: the policy tells how long its window is. */
function readLimit({ body, message, retryAfterMs, now }: Said): CrmError {
  const policy = body.policyName ?? policyFromText(message);
  if (policy === "DAILY") {
    return quotaGone(CRM, "HubSpot gives a new one at midnight in the account's time zone.", now, retryAfterMs);
  }
  const wait = retryAfterMs ?? PAUSES[policy] ?? 10_000;
  return {
    kind: "rate_limited",
    code: policy.toLowerCase(),
    userMessage: `HubSpot asks for a pause of ${Math.ceil(wait / 1000)} seconds; the sync goes on by itself.`,
    retryAfterMs: wait,
  };
}

function policyFromText(message: string): string {
  if (/daily limit/i.test(message)) return "DAILY";
  return /\bsecondly limit/i.test(message) ? "SECONDLY" : "TEN_SECONDLY_ROLLING";
}

/** The account is being moved to another data centre, for up to a day. */
function readMigration({ retryAfterMs = 3_600_000, now }: Said): CrmError {
  const until = new Date(now.getTime() + retryAfterMs).toISOString();
  return {
    kind: "rate_limited",
    code: "migration",
    userMessage: `HubSpot is moving this account to another data centre. Nothing is lost; the sync tries again at ${until.slice(0, 10)} ${until.slice(11, 16)} UTC.`,
    retryAfterMs,
    until,
  };
}

function readCode({ code }: Said): CrmError {
  const meaning = CODES[code] as { kind: CrmErrorKind; message: string };
  return { kind: meaning.kind, code, userMessage: meaning.message };
}

function readExpired(): CrmError {
  return {
    kind: "revoked",
    code: SESSION_EXPIRED,
    userMessage: `HubSpot no longer accepts this session. ${RECONNECT}`,
  };
}

function readForbidden({ body, code, message }: Said): CrmError {
  const contexts = [body.context, ...(body.errors ?? []).map((error) => error.context)];
  const scopes = contexts.flatMap((context) => context?.requiredGranularScopes ?? context?.requiredScopes ?? []);
  const what = scopes.length > 0 ? `the permission ${scopes.join(", ")} is missing` : message || "access denied";
  return {
    kind: "rejected",
    code,
    userMessage: `HubSpot does not allow this: ${what}. Give the app that permission in HubSpot and connect again.`,
  };
}

function passing({ code, response }: Said, retryAfterMs: number | undefined): CrmError {
  return {
    kind: "transient",
    code,
    userMessage: `HubSpot is not available just now (HTTP ${response.status}). ${LATER}`,
    retryAfterMs,
  };
}

function refused({ body, code, message, response }: Said): CrmError {
  return readRefusal({
    category: code,
    message: body.message ?? (message || `HTTP ${response.status}`),
    errors: body.errors ?? [],
  });
}

/** Searches and the calls of private apps tell different parts; absent says nothing. */
export function limits(headers: Record<string, string>): Limits {
  const told: [keyof Limits, string][] = [
    ["dailyLimit", "x-hubspot-ratelimit-daily"],
    ["dailyRemaining", "x-hubspot-ratelimit-daily-remaining"],
    ["windowRemaining", "x-hubspot-ratelimit-remaining"],
  ];
  return Object.fromEntries(
    told.flatMap(([key, name]) => (/^\d+$/.test(headers[name] ?? "") ? [[key, Number(headers[name])]] : [])),
  );
}

function readBody(text: string): Body {
  try {
    const result = bodySchema.safeParse(JSON.parse(text));
    return result.success ? result.data : {};
  } catch {
    return {}; // not JSON: the status has to tell
  }
}
