import { describe, expect, it } from "vitest";
import { dateTime, identifier, likeText, listsFor, text } from "./soql.ts";

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

describe("lists of values", () => {
  const start = "SELECT Id FROM Contact WHERE Id IN (";
  const ids = Array.from({ length: 200 }, (_, at) => `003000000${String(at).padStart(6, "0")}AAA`);

  it("are as many as conditions and addresses allow, and hold each value once", () => {
    const lists = listsFor(start, [...ids, ...ids]);
    expect(lists.join().match(/'[^']+'/g)).toEqual(ids.map((id) => `'${id}'`));
    expect(lists.length).toBeLessThanOrEqual(3);
    expect(Math.max(...lists.map((list) => list.length))).toBeLessThanOrEqual(4000);
  });

  it("make room for long queries and for what grows when it is encoded", () => {
    const long = `SELECT ${"Some_Long_Field__c, ".repeat(500)}Id FROM Contact WHERE Name IN (`;
    for (const [head, values] of [
      [long, ids],
      [start, ids.map((id) => `Ünïcödé “${id}”`)],
    ] as const) {
      const lists = listsFor(head, values);
      expect(lists.join().match(/'[^']+'/g)).toHaveLength(200);
      expect(Math.max(...lists.map((list) => encodeURIComponent(head + list).length))).toBeLessThanOrEqual(13_000);
    }
  });

  it("are none for no values", () => {
    expect(listsFor(start, [])).toEqual([]);
  });
});
