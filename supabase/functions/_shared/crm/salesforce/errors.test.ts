import { describe, expect, it } from "vitest";
import { classify, limits } from "./errors.ts";

const now = new Date("2026-11-21T12:00:00Z");
const api = (status: number, errorCode: string, message = "") =>
  classify({ status, headers: {}, text: JSON.stringify([{ errorCode, message }]) }, now);
const oauth = (error: string, description = "") =>
  classify({ status: 400, headers: {}, text: JSON.stringify({ error, error_description: description }) }, now);

describe("what Salesforce refuses", () => {
  it.each([
    [401, "INVALID_SESSION_ID", "revoked", "session_expired"],
    [400, "UNABLE_TO_LOCK_ROW", "transient", "UNABLE_TO_LOCK_ROW"],
    [503, "SERVER_UNAVAILABLE", "transient", "SERVER_UNAVAILABLE"],
    [400, "QUERY_TIMEOUT", "transient", "QUERY_TIMEOUT"],
    [400, "INVALID_FIELD", "rejected", "INVALID_FIELD"],
    [400, "MALFORMED_QUERY", "rejected", "MALFORMED_QUERY"],
    [403, "API_DISABLED_FOR_ORG", "rejected", "API_DISABLED_FOR_ORG"],
    [404, "NOT_FOUND", "rejected", "NOT_FOUND"],
    [400, "INVALID_QUERY_LOCATOR", "rejected", "INVALID_QUERY_LOCATOR"],
  ])("%i %s is %s (%s)", (status, errorCode, kind, code) => {
    expect(api(status, errorCode)).toMatchObject({ kind, code });
  });

  it("knows the daily quota from a crowd of slow requests", () => {
    expect(api(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")).toMatchObject({
      kind: "rate_limited",
      code: "daily_quota",
      until: "2026-11-21T13:00:00.000Z",
    });
    expect(api(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")).toMatchObject({
      kind: "rate_limited",
      code: "concurrent_requests",
      retryAfterMs: 30_000,
    });
  });

  it.each([
    ["invalid_grant", "revoked"],
    ["inactive_user", "revoked"],
    ["OAUTH_APP_BLOCKED", "revoked"],
    ["redirect_uri_mismatch", "rejected"],
    ["invalid_client", "rejected"],
    ["invalid_client_id", "rejected"],
    ["rate_limit_exceeded", "rate_limited"],
  ])("OAuth %s is %s and keeps its name", (error, kind) => {
    expect(oauth(error)).toMatchObject({ kind, code: error });
  });

  it("reads answers that are not Salesforce's by their status", () => {
    const html = { headers: {}, text: "<html><body>Down for maintenance</body></html>" };
    expect(classify({ ...html, status: 502 }, now)).toMatchObject({ kind: "transient", code: "http_502" });
    expect(classify({ ...html, status: 420 }, now)).toMatchObject({ kind: "transient" });
    expect(classify({ ...html, status: 401 }, now)).toMatchObject({ kind: "revoked", code: "session_expired" });
    expect(classify({ ...html, status: 429, headers: { "retry-after": "7" } }, now)).toMatchObject({
      kind: "rate_limited",
      retryAfterMs: 7000,
    });
  });

  it("tells how much of the day's quota is left", () => {
    expect(limits({ "sforce-limit-info": "api-usage=18/5000; per-app-api-usage=1/250(appName=x)" })).toEqual({
      dailyLimit: 5000,
      dailyRemaining: 4982,
    });
    expect(limits({ "sforce-limit-info": "api-usage=5001/5000" })).toMatchObject({ dailyRemaining: 0 });
    expect(limits({})).toEqual({});
  });
});
