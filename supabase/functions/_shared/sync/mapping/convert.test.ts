import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENTITY_TYPES } from "../../crm/contract.ts";
import { APP_FIELDS, type AppField } from "../appFields.ts";
import { converter } from "./convert.ts";
import { roundTo, toDate, toDateTime, toDecimal, toInteger, toNumber } from "./scalars.ts";
import { cleanText, Misfit, toDomain, toEmail, toPhone, toText } from "./text.ts";

const DATA_TYPES = [
  "string",
  "number",
  "boolean",
  "date",
  "datetime",
  "picklist",
  "array",
  "object",
  "email",
  "phone",
  "url",
] as const;
const COLUMNS: (AppField | "custom")[] = [
  "custom",
  ...ENTITY_TYPES.flatMap((entity) => Object.values(APP_FIELDS[entity])),
];

/** What a CRM may send, and then some. */
const raw = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc.anything({ withDate: true, withBigInt: true, withNullPrototype: true }),
  fc.constantFrom(
    "2017-03-01",
    "2026-02-30",
    "1488326400000",
    "2026-01-01T00:00:00.000+0000",
    "1,234.5",
    "true",
    "b;a;b",
    "+1 415 555 2671 ext 5",
    "\ud800",
    "\u0000x",
  ),
  fc.double(),
  fc.date({ noInvalidDate: false }),
);
const target = fc.record({ column: fc.constantFrom(...COLUMNS), dataType: fc.constantFrom(...DATA_TYPES) });

describe("every conversion", () => {
  it("never throws, and gives what Postgres can store as JSON", () => {
    fc.assert(
      fc.property(raw, target, (value, { column, dataType }) => {
        const converted = converter(column, dataType, { phoneCountry: "US" })(value);
        if (converted instanceof Misfit) {
          expect(converted.why).not.toBe("");
          return;
        }
        const json = JSON.stringify(converted);
        expect(json).not.toMatch(/\\u0000|\\ud[89a-f][0-9a-f]{2}/);
        expect(JSON.parse(json)).toEqual(converted);
      }),
    );
  });

  it("is settled after one time: what it gave, it gives again", () => {
    fc.assert(
      fc.property(raw, target, (value, { column, dataType }) => {
        const convert = converter(column, dataType, {});
        const once = convert(value);
        if (!(once instanceof Misfit)) expect(convert(once)).toEqual(once);
      }),
    );
  });
});

describe("the table of types in docs/api/mapping.md, from the CRM", () => {
  const into = (dataType: (typeof DATA_TYPES)[number], value: unknown) => {
    const converted = converter("custom", dataType, {})(value);
    return converted instanceof Misfit ? converted.code : converted;
  };

  it.each<[(typeof DATA_TYPES)[number], unknown, unknown]>([
    ["string", " a ", "a"],
    ["string", 1.5, "1.5"],
    ["string", true, "true"],
    ["string", ["a", "b"], "a; b"],
    ["string", { a: 1 }, "not_text"],
    ["number", "1,234.5", 1234.5],
    ["number", true, 1],
    ["number", "ten", "not_a_number"],
    ["boolean", "Yes", true],
    ["boolean", 0, false],
    ["boolean", "f", false],
    ["boolean", "maybe", "not_a_boolean"],
    ["date", "2026-03-01T23:30:00-02:00", "2026-03-02"],
    ["date", "soon", "not_a_date"],
    ["datetime", "2026-03-01", "2026-03-01T00:00:00.000Z"],
    ["datetime", "2026-03-01T10:00:00", "2026-03-01T10:00:00.000Z"],
    ["datetime", "2026-13-01", "not_a_date"],
    ["array", "b;a;b", ["a", "b"]],
    ["array", '["b","a"]', ["a", "b"]],
    ["array", 7, ["7"]],
    ["object", '{"b":1,"a":2}', { a: 2, b: 1 }],
    ["object", "text", "not_an_object"],
    ["object", [1], "not_an_object"],
    ["picklist", " Hot ", "Hot"],
    ["email", "Ada@Example.com", "ada@example.com"],
    ["phone", "+1 415 555 2671", "+14155552671"],
    ["url", "https://a.example/?b", "https://a.example/?b"],
  ])("%s takes %j as %j", (dataType, value, expected) => {
    expect(into(dataType, value)).toEqual(expected);
  });

  it.each(DATA_TYPES)("empty is empty for %s", (dataType) => {
    for (const empty of [null, undefined, "", "  "]) expect(into(dataType, empty)).toBeNull();
  });

  it("a column with fixed choices takes those only, in any case", () => {
    const choose = converter({ kind: "choice", choices: ["low", "high"] }, "picklist", {});
    expect(choose("HIGH")).toBe("high");
    expect(choose("urgent")).toMatchObject({ code: "not_a_choice" });
  });
});

describe("text", () => {
  it("is trimmed, empty text is nothing", () => {
    expect(toText("  Acme \n")).toBe("Acme");
    expect(toText("   ")).toBeNull();
    expect(toText(12)).toBe("12");
    expect(toText(["a", " b "])).toBe("a; b");
  });
  it("loses what Postgres cannot store, and nothing else", () => {
    expect(cleanText("a\u0000b\ud800c 😀")).toBe("ab\ufffdc 😀");
  });
  it("says so when there is an object instead", () => {
    expect(toText({ a: 1 })).toBeInstanceOf(Misfit);
  });
});

describe("e-mail, phone and domain", () => {
  it("lower an address, and refuse what is none", () => {
    expect(toEmail(" Ada@Example.COM ")).toBe("ada@example.com");
    expect(toEmail("n/a")).toMatchObject({ code: "not_an_email" });
  });
  it.each([
    ["+1 (415) 555-2671", undefined, "+14155552671"],
    ["(415) 555-2671", "US", "+14155552671"],
    ["(415) 555-2671", undefined, "(415) 555-2671"],
    ["+44 20 7946 0018 ext. 9", undefined, "+442079460018 x9"],
    ["ask Bob", "US", "ask Bob"],
  ])("read the phone number %s (%s) as %s", (text, country, expected) => {
    expect(toPhone(text, country)).toBe(expected);
  });
  it.each([
    ["https://www.Acme.example/about?x=1", "acme.example"],
    ["ada@acme.example", "acme.example"],
    ["www.www.acme.example.", "acme.example"],
    ["localhost", null],
    ["not a host", null],
  ])("read the domain of %s as %s", (text, expected) => {
    expect(toDomain(text)).toBe(expected);
  });
});

describe("numbers", () => {
  it.each([
    ["1054", 1054],
    ["1,234,567.891", 1234567.89],
    [" -0 ", 0],
    ["1e3", 1000],
    [1100.045, 1100.05],
    [2.675, 2.68],
    [-1.005, -1.01],
  ])("%s is %s with two decimals", (text, expected) => {
    expect(toDecimal(text)).toBe(expected);
  });
  it.each(["abc", "1,23", "NaN", "Infinity", Number.NaN, Number.POSITIVE_INFINITY])("%s is none", (value) => {
    expect(toNumber(value)).toMatchObject({ code: "not_a_number" });
  });
  it("outside the column's range are refused, not bent", () => {
    expect(toInteger(101, [0, 100])).toMatchObject({ code: "out_of_range" });
  });
  it("round like Postgres and stay put when rounded", () => {
    fc.assert(
      fc.property(fc.double({ min: -1e12, max: 1e12, noNaN: true }), (value) => {
        const once = roundTo(value, 2);
        expect(roundTo(once, 2)).toBe(once);
        expect(Math.abs(once - value)).toBeLessThanOrEqual(0.005 + Math.abs(value) * 1e-12);
      }),
    );
  });
});

describe("dates", () => {
  it.each([
    ["2017-03-01", "2017-03-01"],
    ["2017-03-01T23:30:00.000+0000", "2017-03-01"],
    ["2017-03-01T23:30:00-02:00", "2017-03-02"],
    ["1488326400000", "2017-03-01"],
    [1488326400000, "2017-03-01"],
  ])("%s is the day %s", (value, expected) => {
    expect(toDate(value)).toBe(expected);
  });
  it.each([
    ["2026-01-01T10:00:00.000+0000", "2026-01-01T10:00:00.000Z"],
    ["2026-01-01 10:00", "2026-01-01T10:00:00.000Z"],
    ["2026-01-01T10:00:00+05:30", "2026-01-01T04:30:00.000Z"],
    ["2026-01-01", "2026-01-01T00:00:00.000Z"],
  ])("%s is the instant %s", (value, expected) => {
    expect(toDateTime(value)).toBe(expected);
  });
  it.each(["2026-02-30", "yesterday", "0000-01-01", "2026-13-01T00:00:00Z"])("%s is none", (value) => {
    expect(toDate(value)).toMatchObject({ code: "not_a_date" });
  });
});
