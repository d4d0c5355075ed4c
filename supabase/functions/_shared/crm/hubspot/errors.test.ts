import { describe, expect, it } from "vitest";
import { classify, limits } from "./errors.ts";

const now = new Date("2026-11-21T12:00:00Z");
const read = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  classify({ status, headers, text: typeof body === "string" ? body : JSON.stringify(body) }, now);

describe("what HubSpot refuses", () => {
  it("waits as long as the window of the limit that was hit", () => {
    expect(read(429, { policyName: "SECONDLY" })).toMatchObject({ kind: "rate_limited", retryAfterMs: 1000 });
    expect(read(429, { policyName: "TEN_SECONDLY_ROLLING" })).toMatchObject({ retryAfterMs: 10_000 });
    expect(read(429, { message: "You have reached your secondly limit." })).toMatchObject({ code: "secondly" });
    expect(read(429, { message: "You have reached your ten_secondly_rolling limit." })).toMatchObject({
      code: "ten_secondly_rolling",
    });
    expect(read(429, "", { "retry-after": "4" })).toMatchObject({ retryAfterMs: 4000 });
  });

  it("says until when it waits for the daily quota", () => {
    const error = read(429, { policyName: "DAILY", message: "You have reached your daily limit." });
    expect(error).toMatchObject({ kind: "rate_limited", code: "daily_quota", until: "2026-11-21T13:00:00.000Z" });
    expect(error.userMessage).toContain("midnight");
  });

  it("waits out a move of the account", () => {
    expect(read(477, {}, { "retry-after": "7200" })).toMatchObject({
      kind: "rate_limited",
      code: "migration",
      until: "2026-11-21T14:00:00.000Z",
    });
  });

  it.each([
    [401, { category: "EXPIRED_AUTHENTICATION" }, "revoked", "session_expired"],
    [401, { category: "INVALID_AUTHENTICATION" }, "revoked", "session_expired"],
    [400, { status: "BAD_REFRESH_TOKEN" }, "revoked", "BAD_REFRESH_TOKEN"],
    [400, { error: "invalid_grant" }, "revoked", "invalid_grant"],
    [400, { status: "BAD_REDIRECT_URI" }, "rejected", "BAD_REDIRECT_URI"],
    [400, { status: "error", category: "VALIDATION_ERROR", message: "x" }, "rejected", "VALIDATION_ERROR"],
    [404, { status: "error", category: "OBJECT_NOT_FOUND" }, "rejected", "OBJECT_NOT_FOUND"],
    [500, { status: "error" }, "transient", "http_500"],
    [524, "<html>", "transient", "http_524"],
  ])("%i %j is %s (%s)", (status, body, kind, code) => {
    expect(read(status, body)).toMatchObject({ kind, code });
  });

  it("waits two seconds at least for a locked record", () => {
    expect(read(423, {})).toMatchObject({ kind: "transient", retryAfterMs: 2000 });
  });

  it("names the permission that is missing", () => {
    const context = { requiredGranularScopes: ["crm.objects.deals.write"] };
    for (const body of [{ context }, { errors: [{ message: "One or more…", context }] }]) {
      const error = read(403, { category: "MISSING_SCOPES", ...body });
      expect(error).toMatchObject({ kind: "rejected", code: "MISSING_SCOPES" });
      expect(error.userMessage).toMatch(/crm\.objects\.deals\.write.*connect again/);
    }
  });

  it("tells what the headers say about limits, and nothing where they are silent", () => {
    const headers = { "x-hubspot-ratelimit-remaining": "108", "x-hubspot-ratelimit-daily-remaining": "249000" };
    expect(limits(headers)).toEqual({ windowRemaining: 108, dailyRemaining: 249_000 });
    expect(limits({ "x-hubspot-ratelimit-remaining": "many" })).toEqual({});
  });
});
