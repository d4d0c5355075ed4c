import { type CrmError, type CrmErrorKind, CrmFailure } from "./contract.ts";

/** The access token was refused. Worth one refresh; only a failed refresh means that the connection is gone. */
export const SESSION_EXPIRED = "session_expired";

export function failure(
  kind: CrmErrorKind,
  code: string,
  userMessage: string,
  extra: Pick<CrmError, "retryAfterMs" | "until" | "cause"> = {},
): CrmFailure {
  return new CrmFailure({ kind, code, userMessage, ...extra });
}

export function isExpiredSession(error: unknown): error is CrmFailure {
  return error instanceof CrmFailure && error.detail.code === SESSION_EXPIRED;
}

export function unreachable(crm: string, cause: unknown): CrmFailure {
  return failure(
    "transient",
    "network_error",
    `${crm} cannot be reached. Nothing is lost; try again in a few minutes.`,
    { cause },
  );
}

export function timedOut(crm: string, seconds: number): CrmFailure {
  return failure(
    "transient",
    "timeout",
    `${crm} did not answer within ${seconds} seconds. Nothing is lost; try again in a few minutes.`,
  );
}

export function malformed(crm: string, cause: unknown): CrmFailure {
  return failure(
    "transient",
    "malformed_answer",
    `${crm} sent an answer that cannot be read. It is usually a passing fault or a proxy in between; try again in a few minutes.`,
    { cause },
  );
}

/** A daily quota: there is no telling when it is free again, so the next try is in an hour. */
export function quotaGone(crm: string, explanation: string, now: Date, waitMs = 3_600_000): CrmError {
  const until = new Date(now.getTime() + waitMs).toISOString();
  const clock = `${until.slice(0, 10)} ${until.slice(11, 16)} UTC`;
  return {
    kind: "rate_limited",
    code: "daily_quota",
    userMessage: `The daily quota of ${crm} requests is used up. ${explanation} Nothing is lost; the sync waits and tries again at ${clock}.`,
    retryAfterMs: waitMs,
    until,
  };
}

/** Retry-After: seconds or an HTTP date. */
export function parseRetryAfter(value: string | undefined, now: Date): number | undefined {
  if (value === undefined || value.trim() === "") return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return seconds < 0 ? undefined : Math.round(seconds * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}

/** The HTTP status that a refusal was read from. */
export function statusOf({ cause }: CrmError): number | null {
  const status = typeof cause === "object" && cause !== null && "status" in cause ? cause.status : null;
  return typeof status === "number" ? status : null;
}
