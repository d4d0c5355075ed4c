import { describe, expect, it } from "vitest";
import { CrmFailure, type CrmField, type CrmFilter, type FilterOperator, type MappingDataType } from "../contract.ts";
import { compileFilter, searchFilter, searchGroups } from "./filter.ts";

const field = (name: string, crmType: string, more: Partial<CrmField> = {}): [string, CrmField] => [
  name,
  { name, label: name, type: "string", crmType, required: false, readOnly: false, custom: false, ...more },
];
const FIELDS = new Map([
  field("name", "string"),
  field("industry", "enumeration", { options: [{ value: "BANKING", label: "Banking" }] }),
  field("topics", "enumeration", { type: "array" }),
  field("annualrevenue", "number"),
  field("founded_year", "string"),
  field("closedate", "datetime"),
  field("phone", "phone_number"),
  field("hubspot_owner_id", "enumeration"),
]);

const one = (name: string, type: MappingDataType, operator: FilterOperator, ...values: (string | number | boolean)[]) =>
  ({ field: name, type, operator, values }) satisfies CrmFilter;
const compile = (filter: CrmFilter) => compileFilter(filter, FIELDS);
/** The only group of a filter, as short text. */
const asked = (filter: CrmFilter) =>
  compile(filter).groups?.map((group) =>
    group.map(({ propertyName, operator, value, highValue, values }) =>
      [propertyName, operator, values?.join("|") ?? value, highValue].filter((part) => part !== undefined).join(" "),
    ),
  );

describe("a filter as a HubSpot search", () => {
  it("asks of text, with lists in lower case", () => {
    expect(asked(one("name", "string", "equals", "Acme"))).toEqual([["name EQ Acme"]]);
    expect(asked(one("name", "string", "in", "Acme", "Bcme"))).toEqual([["name IN acme|bcme"]]);
    expect(asked(one("name", "string", "empty"))).toEqual([["name NOT_HAS_PROPERTY"]]);
  });

  it("does not find empty fields by what they are not", () => {
    expect(asked(one("name", "string", "not_equals", "x"))).toEqual([["name NEQ x", "name HAS_PROPERTY"]]);
    expect(asked(one("name", "string", "not_in", "X"))).toEqual([["name NOT_IN x", "name HAS_PROPERTY"]]);
  });

  it("looks for a word within what is contained, and says that this is not exact", () => {
    const words = (value: string) => asked(one("name", "string", "contains", value));
    expect(words("cme G")).toEqual([["name CONTAINS_TOKEN *cme*"]]);
    expect(words("a*b%")).toEqual([["name CONTAINS_TOKEN *a*"]]);
    const site = one("name", "url", "contains", "https://www.acme.com/");
    expect(asked(site)).toEqual([["name CONTAINS_TOKEN *acme*"]]);
    expect(words("100 %")).toEqual([["name HAS_PROPERTY"]]);
    expect(compile(one("name", "string", "contains", "x")).exact).toBe(false);
  });

  it("spells an option as HubSpot does", () => {
    expect(asked(one("industry", "string", "equals", "banking"))).toEqual([["industry EQ BANKING"]]);
    expect(asked(one("industry", "string", "contains", "bank"))).toEqual([["industry HAS_PROPERTY"]]);
  });

  it("asks of numbers, days and lists", () => {
    expect(asked(one("annualrevenue", "number", "between", 1, 2))).toEqual([["annualrevenue BETWEEN 1 2"]]);
    expect(asked(one("founded_year", "number", "greater", 1990))).toEqual([["founded_year HAS_PROPERTY"]]);
    const day = Date.UTC(2026, 0, 31);
    const close = (operator: FilterOperator) => asked(one("closedate", "date", operator, "2026-01-31"));
    expect(close("equals")).toEqual([[`closedate BETWEEN ${day} ${day + 86_399_999}`]]);
    expect(close("greater")).toEqual([[`closedate GTE ${day + 86_400_000}`]]);
    expect(asked(one("topics", "array", "in", "a"))).toEqual([["topics HAS_PROPERTY"]]);
    expect(asked(one("$owner", "string", "equals", "77"))).toEqual([["hubspot_owner_id EQ 77"]]);
  });

  it.each(["nope", 'name" or "1', "constructor", "$company"])(
    "refuses the field %s, which the account does not have",
    (wrong) => {
      expect(() => compile(one(wrong, "string", "equals", "x"))).toThrow(CrmFailure);
    },
  );

  const named = (value: string) => one("name", "string", "equals", value);
  const [a, b, c] = [named("a"), named("b"), named("c")];

  it("multiplies groups out", () => {
    expect(asked({ all: [a, { any: [b, c] }] })).toEqual([
      ["name EQ a", "name EQ b"],
      ["name EQ a", "name EQ c"],
    ]);
  });

  it("leaves out the part that would not fit, and asks for more than is meant", () => {
    const wide: CrmFilter = { any: [a, b, c] };
    const narrowed = compile({ all: [a, wide, wide] });
    expect(narrowed.exact).toBe(false);
    expect(narrowed.groups).toHaveLength(3);
    expect(compile({ any: [a, b, c, a, b, c] })).toEqual({ groups: null, exact: false });
  });

  it("stays within 5 groups, 10 filters each and 25 in all, with the reader's own three", () => {
    const pair: CrmFilter = { all: [a, b] };
    const filters: CrmFilter[] = [
      { any: [pair, pair, pair, pair, pair] },
      { all: Array.from({ length: 25 }, () => a) },
      { all: [{ any: [a, b] }, { any: [pair, c] }, { all: [a, b, c] }] },
    ];
    for (const filter of filters) {
      const own = [searchFilter("x", "GTE", 1), searchFilter("x", "LTE", 1), searchFilter("id", "GT", 0)];
      const groups = searchGroups(own, compile(filter));
      expect(groups.length).toBeLessThanOrEqual(5);
      expect(Math.max(...groups.map(({ filters: { length } }) => length))).toBeLessThanOrEqual(10);
      expect(groups.flatMap((group) => group.filters).length).toBeLessThanOrEqual(25);
      expect(groups.every(({ filters: { length } }) => length > 3)).toBe(true);
    }
  });

  it("asks for nothing where nothing is meant, not for everything", () => {
    expect(searchGroups([], compile({ any: [] }))).toEqual([{ filters: [searchFilter("hs_object_id", "LT", 0)] }]);
    expect(searchGroups([], undefined)).toEqual([]);
  });
});
