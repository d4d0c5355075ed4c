import { z } from "zod";
import type { WriteError } from "../batch.ts";
import type { CrmError, CrmErrorKind } from "../contract.ts";
import { parseRetryAfter, quotaGone, SESSION_EXPIRED } from "../errors.ts";
import type { Limits, WireResponse } from "../wire.ts";
import { ROW_CODES } from "./rowErrors.ts";

export const CRM = "Salesforce";

export interface Meaning {
  kind: CrmErrorKind;
  code?: string;
  retryAfterMs?: number;
  /** The sentence; `said` is Salesforce's own message. */
  say: (said: string) => string;
}

const LATER = "Nothing is lost; try again in a few minutes.";
const RECONNECT = "Connect Salesforce again to go on; mappings and links are kept.";

/** The data API: [{errorCode, message}]. A code that is not here is judged by its HTTP status. */
const API_CODES: Record<string, Meaning> = {
  INVALID_SESSION_ID: {
    kind: "revoked",
    code: SESSION_EXPIRED,
    say: () => `The Salesforce session has ended. ${RECONNECT}`,
  },
  UNABLE_TO_LOCK_ROW: {
    kind: "transient",
    say: () => `Someone else is changing the same record in Salesforce just now. ${LATER}`,
  },
  QUERY_TIMEOUT: { kind: "transient", say: () => `Salesforce took too long over the query. ${LATER}` },
  REQUEST_RUNNING_TOO_LONG: { kind: "transient", say: () => `Salesforce gave up a long request. ${LATER}` },
  SERVER_UNAVAILABLE: { kind: "transient", say: () => `Salesforce is not available just now. ${LATER}` },
  UNKNOWN_EXCEPTION: { kind: "transient", say: () => `Salesforce had an internal fault. ${LATER}` },
  API_DISABLED_FOR_ORG: {
    kind: "rejected",
    say: () =>
      "This Salesforce org or user has no API access. Ask a Salesforce administrator for the permission “API Enabled”, then try again.",
  },
  INSUFFICIENT_ACCESS_OR_READONLY: {
    kind: "rejected",
    say: (said) =>
      `The connected Salesforce user may not do this (${said}). Ask a Salesforce administrator for access.`,
  },
  INVALID_FIELD: {
    kind: "rejected",
    say: (said) =>
      `Salesforce does not know a field that is mapped (${said}). Correct the field mapping and sync again.`,
  },
  INVALID_TYPE: {
    kind: "rejected",
    say: (said) =>
      `The connected Salesforce user cannot see this kind of record (${said}). Ask a Salesforce administrator for access.`,
  },
};

/** The OAuth endpoints: {error, error_description}. */
const OAUTH_CODES: Record<string, Meaning> = {
  invalid_grant: {
    kind: "revoked",
    say: () => `Salesforce no longer accepts this connection: access was withdrawn or has run out. ${RECONNECT}`,
  },
  inactive_user: {
    kind: "revoked",
    say: () => "The Salesforce user of this connection is deactivated. Connect again with an active user.",
  },
  inactive_org: { kind: "revoked", say: () => "The Salesforce org of this connection is locked or closed." },
  OAUTH_APP_BLOCKED: {
    kind: "revoked",
    say: () => "A Salesforce administrator has blocked this app. Ask for it to be allowed, then connect again.",
  },
  redirect_uri_mismatch: {
    kind: "rejected",
    say: () =>
      "Salesforce refused the redirect address: it is not the one registered in the connected app. Register CRM_OAUTH_REDIRECT_URL there, exactly, and start again.",
  },
  invalid_client: {
    kind: "rejected",
    say: () =>
      "Salesforce refused the app's own credentials. Check SALESFORCE_CLIENT_ID and the Vault secret crm_salesforce_client_secret.",
  },
  invalid_client_id: {
    kind: "rejected",
    say: () => "Salesforce does not know this app. Check SALESFORCE_CLIENT_ID.",
  },
  rate_limit_exceeded: {
    kind: "rate_limited",
    retryAfterMs: 60_000,
    say: () => "Too many sign-ins to Salesforce in a short time. Try again in a minute.",
  },
};

const apiBody = z.array(z.object({ errorCode: z.string(), message: z.string().default("") })).min(1);
const oauthBody = z.object({ error: z.string(), error_description: z.string().default("") });

export function classify(response: WireResponse, now: Date): CrmError {
  const said = readBody(response.text);
  const error = quotaError(said, now) ?? known(said) ?? byStatus(response, said, now);
  return { ...error, cause: { status: response.status, code: said.code, message: said.message } };
}

interface Said {
  code: string;
  message: string;
  oauth: boolean;
}

export interface RowRefusal {
  statusCode: string;
  message: string;
  fields: readonly string[];
}

/** One row of a collection. The same codes as of a whole call, and those that only a write can get. */
export function classifyRow({ statusCode, message, fields }: RowRefusal, now: Date): WriteError {
  // A trigger that fails hides the reason in its own message.
  const code = /UNABLE_TO_LOCK_ROW/.test(message) ? "UNABLE_TO_LOCK_ROW" : statusCode;
  const said: Said = { code, message: short(message), oauth: false };
  const error = quotaError(said, now) ?? known(said) ?? rowRefused(said);
  const [field] = fields;
  return { ...error, ...(field === undefined ? {} : { field }), cause: { code: statusCode, message: said.message } };
}

function rowRefused({ code, message }: Said): CrmError {
  return { kind: "rejected", code, userMessage: `Salesforce refused the record${message ? `: ${message}` : ""}.` };
}

/** `api-usage=18/5000`: the requests of the last 24 hours, over all apps. */
export function limits(headers: Record<string, string>): Limits {
  const [, used, limit] = /api-usage=(\d+)\/(\d+)/.exec(headers["sforce-limit-info"] ?? "") ?? [];
  if (used === undefined || limit === undefined) return {};
  return { dailyLimit: Number(limit), dailyRemaining: Math.max(0, Number(limit) - Number(used)) };
}

function readBody(text: string): Said {
  const json = parseJson(text);
  const api = apiBody.safeParse(json);
  if (api.success && api.data[0])
    return { code: api.data[0].errorCode, message: short(api.data[0].message), oauth: false };
  const oauth = oauthBody.safeParse(json);
  if (oauth.success) return { code: oauth.data.error, message: short(oauth.data.error_description), oauth: true };
  return { code: "", message: short(text.replace(/<[^>]*>/g, " ").trim()), oauth: false };
}

/** One code, two meanings: the org's quota of 24 hours, or too many slow requests at this moment. */
function quotaError(said: Said, now: Date): CrmError | null {
  if (said.code !== "REQUEST_LIMIT_EXCEEDED") return null;
  if (!/concurrent/i.test(said.message)) {
    return quotaGone(CRM, "Salesforce counts the requests of the last 24 hours over all apps of the org.", now);
  }
  return {
    kind: "rate_limited",
    code: "concurrent_requests",
    userMessage: "Salesforce is busy with too many long requests of this org. The sync goes on in half a minute.",
    retryAfterMs: 30_000,
  };
}

function known(said: Said): CrmError | null {
  const meaning = (said.oauth ? OAUTH_CODES : { ...ROW_CODES, ...API_CODES })[said.code];
  if (meaning === undefined) return null;
  const { kind, retryAfterMs } = meaning;
  return { kind, code: meaning.code ?? said.code, userMessage: meaning.say(said.message), retryAfterMs };
}

function byStatus({ status, headers }: WireResponse, said: Said, now: Date): CrmError {
  const code = said.code || `http_${status}`;
  const retryAfterMs = parseRetryAfter(headers["retry-after"], now);
  if (status === 401)
    return {
      kind: "revoked",
      code: SESSION_EXPIRED,
      userMessage: `Salesforce no longer accepts this session. ${RECONNECT}`,
    };
  if (status === 429) {
    const wait = retryAfterMs ?? 30_000;
    return {
      kind: "rate_limited",
      code,
      userMessage: `Salesforce asks for a pause of ${Math.ceil(wait / 1000)} seconds.`,
      retryAfterMs: wait,
    };
  }
  if (status === 420 || status >= 500) {
    return {
      kind: "transient",
      code,
      userMessage: `Salesforce is not available just now (HTTP ${status}). ${LATER}`,
      retryAfterMs,
    };
  }
  return {
    kind: "rejected",
    code,
    userMessage: `Salesforce refused the request${said.message ? `: ${said.message}` : ` (HTTP ${status})`}.`,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not JSON: the status has to tell
  }
}

function short(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
