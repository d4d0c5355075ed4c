import { describe, expect, it } from "vitest";
import { shownMessage } from "./message.ts";

describe("a sentence that is kept for people", () => {
  it.each([
    ["a header", "Refused: Authorization: Bearer 00Dxx0000001gPL!AQ0AQH.secretpart"],
    ["an own kind of header", "X-SFDC-Session: secretpart was refused"],
    ["a refresh token of Salesforce", "bad token 5Aep861TSESvWeugsecretpart"],
    ["a refresh token of HubSpot", "grant na1-12ab-34cd-secretpart? no: na1-12ab34cd-12ab-34cd-56ef-7890abcdef12"],
    ["an address with a key", "GET https://api.example/x?hapikey=secretpart failed"],
    ["an address with credentials", "proxy http://user:secretpart@proxy.example refused"],
    ["an authorization code", "code=aPrxsecretpart is used up"],
  ])("carries no %s", (_, text) => {
    expect(shownMessage(text)).not.toMatch(/secretpart(?!\?)|7890abcdef12/);
    expect(shownMessage(text)).toContain("[redacted]");
  });

  it("keeps what helps", () => {
    const text = "REQUIRED_FIELD_MISSING: Required fields are missing: [LastName] (record 003xx000004TmiQAAS)";
    expect(shownMessage(text)).toBe(text);
  });

  it("is one line that fits", () => {
    expect(shownMessage("a\n\n  b")).toBe("a b");
    expect(shownMessage("word ".repeat(1000)).length).toBeLessThanOrEqual(1000);
  });
});
