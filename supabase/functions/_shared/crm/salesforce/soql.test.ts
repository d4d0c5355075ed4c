import { describe, expect, it } from "vitest";
import { dateTime, identifier, likeText, text } from "./soql.ts";

describe("SOQL literals", () => {
  it("escapes the backslash before the quote", () => {
    expect(text("O'Brien\\")).toBe("'O\\'Brien\\\\'");
    expect(text("\\' OR Name != '")).toBe("'\\\\\\' OR Name != \\''");
  });

  it("escapes line breaks and tabs", () => {
    expect(text('a\nb\tc\r"')).toBe("'a\\nb\\tc\\r\\\"'");
  });

  it("takes the meaning of wildcards away in LIKE", () => {
    expect(likeText("100%_x")).toBe("'100\\%\\_x'");
  });

  it("writes times without quotes, in UTC", () => {
    expect(dateTime("2026-01-01T02:00:00.000+0200")).toBe("2026-01-01T00:00:00.000Z");
    expect(dateTime("2026-01-01T00:00:00.000+0000")).toBe("2026-01-01T00:00:00.000Z");
  });

  it("refuses a name that is more than a name", () => {
    expect(identifier("Maven_Id__c")).toBe("Maven_Id__c");
    for (const bad of ["", "Id FROM User", "a-b", "1a", "Name,Email", "a'b"]) {
      expect(() => identifier(bad)).toThrow(RangeError);
    }
  });
});
