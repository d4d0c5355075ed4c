import { describe, expect, it } from "vitest";
import { CrmFailure, type CrmField, type CrmFilter, type FilterOperator, type MappingDataType } from "../contract.ts";
import { compileFilter } from "./filter.ts";

const field = (name: string, crmType: string): [string, CrmField] => [
  name,
  { name, label: name, type: "string", crmType, required: false, readOnly: false, custom: false },
];
const FIELDS = new Map([
  field("Name", "string"),
  field("Website", "url"),
  field("Phone", "phone"),
  field("Description", "textarea"),
  field("Amount", "currency"),
  field("YearStarted", "string"),
  field("CloseDate", "date"),
  field("Signed__c", "datetime"),
  field("Active__c", "boolean"),
  field("Tags__c", "multipicklist"),
  field("OwnerId", "reference"),
  field("StageName", "picklist"),
]);

const one = (name: string, type: MappingDataType, operator: FilterOperator, ...values: (string | number | boolean)[]) =>
  ({ field: name, type, operator, values }) satisfies CrmFilter;
const where = (filter: CrmFilter) => compileFilter(filter, FIELDS).where;
const name = (operator: FilterOperator, ...values: string[]) => where(one("Name", "string", operator, ...values));

describe("a filter as SOQL", () => {
  it("asks of text", () => {
    expect(name("equals", "Acme")).toBe("Name = 'Acme'");
    expect(name("in", "a", "b")).toBe("Name IN ('a', 'b')");
    expect(name("contains", "cm")).toBe("Name LIKE '%cm%'");
    expect(name("starts_with", "Ac")).toBe("Name LIKE 'Ac%'");
    expect(name("empty")).toBe("Name = null");
    expect(name("not_empty")).toBe("Name != null");
  });

  it("does not find empty fields by what they are not", () => {
    expect(name("not_equals", "Acme")).toBe("(Name != 'Acme' AND Name != null)");
    expect(name("not_in", "a", "b")).toBe("(Name NOT IN ('a', 'b') AND Name != null)");
  });

  it("keeps a value a value, whatever is in it", () => {
    expect(name("equals", "O'Brien' OR Id != null")).toBe("Name = 'O\\'Brien\\' OR Id != null'");
    expect(name("equals", "a\\' OR Name != '")).toBe("Name = 'a\\\\\\' OR Name != \\''");
    expect(name("contains", "100%_\"x'")).toBe("Name LIKE '%100\\%\\_\\\"x\\'%'");
    expect(name("equals", "a\nb\tÖ😀")).toBe("Name = 'a\\nb\\tÖ😀'");
    expect(name("in", "x') OR (Name != '")).toBe("Name IN ('x\\') OR (Name != \\'')");
  });

  it("lets any character stand for a backslash in LIKE, and says that this is not exact", () => {
    const filter = compileFilter(one("Name", "string", "contains", "a\\%"), FIELDS);
    expect(filter).toEqual({ where: "Name LIKE '%a_\\%%'", exact: false });
  });

  it.each(["Name) OR (Id != null", "Nope", "constructor", "__proto__", "Owner.Name"])(
    "refuses the field %s, which the account does not have",
    (wrong) => {
      const compile = () => compileFilter(one(wrong, "string", "equals", "x"), FIELDS);
      expect(compile).toThrow(CrmFailure);
      expect(compile).toThrow(/does not have/);
    },
  );

  it("writes numbers, days, instants, booleans and lists as SOQL wants them", () => {
    expect(where(one("Amount", "number", "between", -1, 2.5))).toBe("(Amount >= -1 AND Amount <= 2.5)");
    expect(where(one("CloseDate", "date", "greater", "2026-01-31"))).toBe("CloseDate > 2026-01-31");
    const instant = one("Signed__c", "datetime", "less", "2026-01-01T01:00:00+01:00");
    expect(where(instant)).toBe("Signed__c < 2026-01-01T00:00:00.000Z");
    expect(where(one("Active__c", "boolean", "equals", true))).toBe("Active__c = true");
    expect(where(one("Tags__c", "array", "in", "a", "b'"))).toBe("Tags__c INCLUDES ('a', 'b\\'')");
    expect(where(one("Tags__c", "array", "not_in", "a"))).toBe("(Tags__c EXCLUDES ('a') AND Tags__c != null)");
  });

  it("takes a day of ours as the whole day where Salesforce keeps an instant", () => {
    const day = (operator: FilterOperator) => where(one("Signed__c", "date", operator, "2026-01-31"));
    expect(day("equals")).toBe("(Signed__c >= 2026-01-31T00:00:00.000Z AND Signed__c < 2026-02-01T00:00:00.000Z)");
    expect(day("greater")).toBe("Signed__c >= 2026-02-01T00:00:00.000Z");
    expect(day("less_or_equal")).toBe("Signed__c < 2026-02-01T00:00:00.000Z");
  });

  it("compares owners by id only, since Salesforce refuses anything else", () => {
    const owner = (operator: FilterOperator, ...ids: string[]) => where(one("$owner", "string", operator, ...ids));
    expect(owner("equals", "005xx000001SwiUAAS")).toBe("OwnerId IN ('005xx000001SwiUAAS')");
    expect(owner("equals", "nobody")).toBe("Id = null");
    expect(owner("not_in", "nobody")).toBe("OwnerId != null");
  });

  it("asks for more where SOQL cannot say it, and says so", () => {
    const coarse = (filter: CrmFilter) => {
      const compiled = compileFilter(filter, FIELDS);
      expect(compiled.exact).toBe(false);
      return compiled.where;
    };
    expect(coarse(one("Description", "string", "contains", "x"))).toBeNull();
    expect(coarse(one("Phone", "phone", "equals", "+49 30"))).toBe("Phone != null");
    expect(coarse(one("YearStarted", "number", "greater", 1990))).toBe("YearStarted != null");
    expect(coarse(one("Website", "url", "equals", "https://www.acme.com/"))).toBe("Website LIKE '%acme.com%'");
    expect(coarse(one("Amount", "number", "equals", 1e21))).toBe("Amount != null");
    expect(coarse({ any: [one("Name", "string", "empty"), one("Description", "string", "empty")] })).toBeNull();
    expect(coarse({ all: [one("Name", "string", "empty"), one("Description", "string", "empty")] })).toBe(
      "Name = null",
    );
  });

  it("puts groups in parentheses, and nothing at all for a group of nothing", () => {
    const [a, b] = [one("Name", "string", "empty"), one("Amount", "number", "empty")];
    expect(where({ all: [a, { any: [a, b] }] })).toBe("(Name = null AND (Name = null OR Amount = null))");
    expect(where({ any: [] })).toBe("Id = null");
  });

  it("reads everything rather than send an address that Salesforce would cut", () => {
    const values = Array.from({ length: 100 }, (_, at) => `${at}`.padEnd(255, "x"));
    expect(compileFilter(one("Name", "string", "in", ...values), FIELDS)).toEqual({ where: null, exact: false });
  });
});
