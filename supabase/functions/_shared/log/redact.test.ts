import { describe, expect, it } from "vitest";
import { CrmFailure } from "../crm/contract.ts";
import { createLogger } from "./logger.ts";
import { redact, redactText } from "./redact.ts";

describe("what a log may show", () => {
  it("takes out values by the name of their key, however deep", () => {
    const entry = {
      a: [{ access_token: "x1", refreshToken: "x2", clientSecret: "x3", nested: { Authorization: "x4" } }],
    };
    expect(JSON.stringify(redact(entry))).not.toMatch(/x[1-4]/);
  });

  it.each([
    ["a bearer token", "sent Bearer 00Dxx0000001gPL!AQ0AQH.abc"],
    [
      "a Salesforce session anywhere",
      "session 00Dxx0000001gPLEAY!AQ0AQH0dMHZfz972Szmpkb58urFRkgeBGsxL_QJWwYMfAbUeeG7c1E6 ended",
    ],
    ["a JWT", "token eyJhbGciOi.eyJzdWIiOi.c2ln"],
    ["a form body", "grant_type=authorization_code&code=aPrxSecretCode&client_secret=hush&code_verifier=abc"],
    ["a JSON body", '{"refresh_token":"5Aep861TSESvWeug_secret","client_secret": "hush"}'],
    ["an address", "http://x/cb?code=aPrxSecretCode&state=verysecretstate"],
    ["a secret key of the project", "key sb_secret_abc_DEF-1"],
    ["a private app token", "pat-eu1-1234-abcd"],
    ["a database address", "postgresql://postgres:hush@127.0.0.1:5432/postgres"],
  ])("takes out %s", (_, text) => {
    expect(redactText(text)).toContain("[redacted]");
    expect(redactText(text)).not.toMatch(/AQ0AQH|aPrxSecretCode|hush|5Aep861|verysecretstate|c2ln|abc_DEF|1234-abcd/);
  });

  it("keeps what helps: error codes, messages, ids", () => {
    const error = new CrmFailure({
      kind: "rejected",
      code: "INVALID_FIELD",
      userMessage: "No such column",
      cause: { status: 400 },
    });
    const shown = JSON.stringify(redact({ error, config_id: "7d7", code: "23505" }));
    expect(shown).toContain("INVALID_FIELD");
    expect(shown).toContain("No such column");
    expect(shown).toContain('"status":400');
    expect(shown).toContain("23505");
  });

  it("hides a code that is long enough to be one of OAuth's", () => {
    expect(redact({ code: "a".repeat(60) })).toEqual({ code: "[redacted]" });
    expect(redact({ code: "6b9f2d6c-4f0e-4b57-9a38-0c5a6a0d7c11" })).toEqual({ code: "[redacted]" });
  });

  it("survives a circle", () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(() => JSON.stringify(redact(circle))).not.toThrow();
  });
});

describe("the logger", () => {
  const lines: string[] = [];
  const log = createLogger({ write: (line) => lines.push(line), now: () => new Date(0) }, { function: "test" });

  it("writes one JSON object per line, with its context", () => {
    log.with({ request_id: "r1" }).info("hello", { n: 1 });
    expect(JSON.parse(lines.at(-1) ?? "")).toEqual({
      time: "1970-01-01T00:00:00.000Z",
      level: "info",
      message: "hello",
      function: "test",
      request_id: "r1",
      n: 1,
    });
  });

  it("keeps a line that is too long for the platform readable", () => {
    log.error("long", { texts: Array.from({ length: 50 }, () => "x".repeat(5000)) });
    const line = lines.at(-1) ?? "";
    expect(line.length).toBeLessThan(10_000);
    expect(JSON.parse(line)).toMatchObject({ level: "error", message: "long" });
  });
});
