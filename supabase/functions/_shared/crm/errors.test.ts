import { describe, expect, it } from "vitest";
import { failure, isExpiredSession, parseRetryAfter, quotaGone, SESSION_EXPIRED } from "./errors.ts";

const now = new Date("2026-11-21T12:00:00Z");

describe("Retry-After", () => {
  it("reads seconds, fractions included", () => {
    expect(parseRetryAfter("3", now)).toBe(3000);
    expect(parseRetryAfter("0.5", now)).toBe(500);
  });

  it("reads a date, and one that has passed means now", () => {
    expect(parseRetryAfter("Sat, 21 Nov 2026 12:01:00 GMT", now)).toBe(60_000);
    expect(parseRetryAfter("Sat, 21 Nov 2026 11:00:00 GMT", now)).toBe(0);
  });

  it("is unknown when absent or unreadable", () => {
    expect(parseRetryAfter(undefined, now)).toBeUndefined();
    expect(parseRetryAfter("", now)).toBeUndefined();
    expect(parseRetryAfter("soon", now)).toBeUndefined();
    expect(parseRetryAfter("-5", now)).toBeUndefined();
  });
});

it("a used-up daily quota says until when it waits", () => {
  const error = quotaGone("HubSpot", "It returns at midnight.", now);
  expect(error).toMatchObject({ kind: "rate_limited", until: "2026-11-21T13:00:00.000Z", retryAfterMs: 3_600_000 });
  expect(error.userMessage).toContain("2026-11-21 13:00 UTC");
});

it("tells an expired session from a connection that is gone", () => {
  expect(isExpiredSession(failure("revoked", SESSION_EXPIRED, "x"))).toBe(true);
  expect(isExpiredSession(failure("revoked", "invalid_grant", "x"))).toBe(false);
  expect(isExpiredSession(new Error("x"))).toBe(false);
});
