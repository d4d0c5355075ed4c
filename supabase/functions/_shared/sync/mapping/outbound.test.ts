import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CrmField } from "../../crm/contract.ts";
import type { Json } from "../json.ts";
import { fieldOf } from "../testing.crm.ts";
import { compileOutbound, type OutboundRecord } from "./outbound.ts";
import type { MappingRow } from "./plan.ts";

const row = (crm_field: string, app_field: string, more: Partial<MappingRow> = {}): MappingRow => ({
  entity_type: "opportunities",
  crm_field,
  app_field,
  data_type: "string",
  sync_direction: "bidirectional",
  is_required: false,
  ...more,
});
const item = (values: Record<string, Json>, more: Partial<OutboundRecord> = {}): OutboundRecord => ({
  key: "k1",
  action: "update",
  values,
  relations: {},
  ...more,
});
const STAGES = [
  { crm_pipeline_id: "a-special", crm_stage_id: "s1", stage_key: "lead" },
  { crm_pipeline_id: "a-special", crm_stage_id: "s9", stage_key: "won" },
  { crm_pipeline_id: "default", crm_stage_id: "first", stage_key: "lead" },
  { crm_pipeline_id: "default", crm_stage_id: "second", stage_key: "lead" },
];

/** What one value of ours becomes in one field of the CRM: the value, or the sentence that says why it was left out. */
function outgoing(field: Partial<CrmField>, value: Json): unknown {
  const plan = compileOutbound("opportunities", [row("F", "custom_fields.f")], [], [fieldOf("F", field)], {
    crmName: "HubSpot",
  });
  const made = plan.compose(item({ "custom_fields.f": value }));
  return made.problems?.[0]?.message ?? made.write?.fields.F;
}

const CLOSED = {
  type: "picklist",
  restricted: true,
  options: [
    { value: "A1", label: "Alpha" },
    { value: "B1", label: "Beta" },
  ],
} satisfies Partial<CrmField>;
const SWAPPED = [
  { value: "Alpha", label: "Beta" },
  { value: "Beta", label: "Alpha" },
];
const INDUSTRIES: Partial<CrmField> = {
  ...CLOSED,
  options: [
    { value: "REAL_ESTATE", label: "Property" },
    { value: "HOSPITAL_HEALTH_CARE", label: "Hospital and Health Care" },
  ],
};

describe("a value of ours as the CRM takes it", () => {
  it.each<[string, Partial<CrmField>, Json, unknown]>([
    ["text stays", { type: "string" }, "Ärger & Söhne", "Ärger & Söhne"],
    ["a number becomes text where the field is text", { type: "string" }, 7, "7"],
    ["a list becomes text", { type: "string" }, ["b", "a"], "b;a"],
    ["an object becomes JSON where the field is text", { type: "string" }, { a: 1 }, '{"a":1}'],
    ["text becomes a number", { type: "number" }, "12.5", 12.5],
    ["yes becomes true", { type: "boolean" }, "yes", true],
    ["nought becomes false", { type: "boolean" }, 0, false],
    ["true becomes one", { type: "number" }, true, 1],
    ["an e-mail address stays as it is", { type: "email" }, "ada@example.com", "ada@example.com"],
    ["an object stays one text of JSON", { type: "object" }, { a: 1 }, '{"a":1}'],
    ["a day stays a day", { type: "date" }, "2026-03-01", "2026-03-01"],
    ["an instant becomes its day", { type: "date" }, "2026-03-01T23:00:00.000Z", "2026-03-01"],
    ["a day becomes its midnight", { type: "datetime" }, "2026-03-01", "2026-03-01T00:00:00.000Z"],
    ["an option goes by value", CLOSED, "B1", "B1"],
    ["an option goes by label", CLOSED, "Beta", "B1"],
    ["a value that is another option's label is a value", { ...CLOSED, options: SWAPPED }, "Beta", "Beta"],
    ["an option is known in other letters", INDUSTRIES, "Real estate", "REAL_ESTATE"],
    ["with other marks", INDUSTRIES, "real-estate", "REAL_ESTATE"],
    ["by a label in other letters", INDUSTRIES, "HOSPITAL AND HEALTH CARE", "HOSPITAL_HEALTH_CARE"],
    ["a list with one item is an option", CLOSED, ["Alpha"], "A1"],
    ["without known options anything goes", { type: "picklist", restricted: true }, "New", "New"],
    ["into a list that is not closed anything goes", { ...CLOSED, restricted: false }, "New", "New"],
    ["as it is", { ...CLOSED, restricted: false }, "Beta", "Beta"],
    ["several options are joined", { ...CLOSED, type: "array" }, ["Beta", "A1"], "B1;A1"],
    ["a phone stays as it is", { type: "phone" }, "+49 30 1", "+49 30 1"],
    ["an address of a page stays as it is", { type: "url" }, "https://a.example/?b", "https://a.example/?b"],
    ["nothing clears", { type: "number" }, null, null],
    ["an empty list clears", { type: "array" }, [], null],
  ])("%s", (_name, field, value, expected) => {
    expect(outgoing(field, value)).toEqual(expected);
  });

  const options = (...values: string[]): Partial<CrmField> => ({
    ...CLOSED,
    options: values.map((value) => ({ value, label: value })),
  });

  it.each<[string, Partial<CrmField>, Json, RegExp]>([
    ["an unknown option, with those there are", CLOSED, "Gamma", /F does not offer "Gamma"; it offers A1, B1/],
    ["an unknown option among several", { ...CLOSED, type: "array" }, ["Alpha", "Gamma"], /does not offer "Gamma"/],
    ["two options where one fits", CLOSED, ["Alpha", "Beta"], /takes one value, and there are 2/],
    ["one that two options are like", options("REAL_ESTATE", "real-estate"), "Real estate", /does not offer "Real e/],
    ["a range that reads like a number", options("110"), "1-10", /does not offer "1-10"/],
    ["marks without letters", options("--"), "++", /does not offer/],
    ["a text that is too long", { maxLength: 3 }, "abcd", /would hold 4 characters; at most 3 fit/],
    ["a text that is no number", { type: "number" }, "lots", /"lots", not a number/],
    ["a day that does not exist", { type: "date" }, "2026-02-30", /not a date/],
  ])("is left out with a sentence: %s", (_name, field, value, message) => {
    expect(outgoing(field, value)).toMatch(message);
    expect(outgoing(field, value)).toMatch(/^HubSpot got this record without F: F .*\. [A-Z][^.]*(again|mapping)\.$/);
  });

  it("names no more options than fit a sentence", () => {
    const many = Array.from({ length: 500 }, (_, at) => `option ${at}`);
    expect(String(outgoing(options(...many), "none of them")).length).toBeLessThan(600);
  });
});

describe("a value that the CRM keeps in another form", () => {
  const shown = (field: Partial<CrmField>, value: Json, more: Partial<MappingRow> = {}) =>
    compileOutbound(
      "accounts",
      [row("F", "industry", { entity_type: "accounts", ...more })],
      [],
      [fieldOf("F", field)],
      {
        crmName: "HubSpot",
      },
    ).compose(item({ industry: value })).sent?.shown;

  it("is told with the form that reading will bring", () => {
    expect(shown(INDUSTRIES, "Real estate")).toEqual({ industry: { app: "Real estate", crm: "REAL_ESTATE" } });
    expect(shown(CLOSED, "Alpha")).toEqual({ industry: { app: "Alpha", crm: "A1" } });
  });

  it.each([
    ["that comes back the same", INDUSTRIES, "REAL_ESTATE", {}],
    ["that is left out", INDUSTRIES, "Beekeeping", {}],
    ["that clears", INDUSTRIES, null, {}],
    ["that is not read back", INDUSTRIES, "Real estate", { sync_direction: "push" as const }],
  ])("not one %s", (_name, field, value, more) => {
    expect(shown(field, value, more)).toBeUndefined();
  });

  it("also of an address with a part that the CRM has no field for", () => {
    const rows = [row("street=Street,city=City", "billing_address", { entity_type: "accounts" })];
    const plan = compileOutbound("accounts", rows, [], [fieldOf("Street"), fieldOf("City")], { crmName: "Salesforce" });
    const address = { street: "1 Main", city: "Berlin", floor: "3" };
    expect(plan.compose(item({ billing_address: address })).sent?.shown).toEqual({
      billing_address: { app: address, crm: { city: "Berlin", street: "1 Main" } },
    });
  });

  it("also of a phone number that is read in the country of the connection", () => {
    const rows = [row("Phone", "phone", { entity_type: "accounts" })];
    const made = (phoneCountry?: string) =>
      compileOutbound("accounts", rows, [], [fieldOf("Phone", { type: "phone" })], {
        crmName: "Salesforce",
        phoneCountry,
      }).compose(item({ phone: "030 123456" }));
    expect(made("DE").write?.fields).toEqual({ Phone: "030 123456" });
    expect(made("DE").sent?.shown).toEqual({ phone: { app: "030 123456", crm: "+4930123456" } });
    expect(made().sent?.shown).toBeUndefined();
  });

  it("whatever the options and the spelling: what is read back is ours again, or it was not sent", () => {
    const word = fc.constantFrom(
      "Retail",
      "RETAIL",
      "re-tail",
      "Real estate",
      "REAL_ESTATE",
      "Banking",
      "1-10",
      "110",
      "A+",
    );
    const option = fc.record({ value: word, label: word });
    const seen = { exact: 0, respelled: 0, left: 0 };
    fc.assert(
      fc.property(fc.uniqueArray(option, { selector: ({ value }) => value, minLength: 1 }), word, (options, ours) => {
        const field = { type: "picklist", restricted: true, options } as const;
        const made = compileOutbound(
          "accounts",
          [row("F", "industry", { entity_type: "accounts" })],
          [],
          [fieldOf("F", field)],
          { crmName: "HubSpot" },
        ).compose(item({ industry: ours }));
        const { write, sent, problems } = made;
        if (problems?.length) {
          seen.left += 1;
          expect([write?.fields, sent?.values]).toEqual([{}, {}]);
          return;
        }
        const kept = write?.fields.F;
        expect(options.map(({ value }) => value)).toContain(kept);
        const alias = sent?.shown?.industry;
        seen[alias === undefined ? "exact" : "respelled"] += 1;
        expect(alias?.crm === kept ? alias?.app : kept).toBe(ours);
      }),
      { numRuns: 500, seed: 20261121 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(30);
  });
});

describe("a record of ours becomes a write", () => {
  const compile = (rows: MappingRow[], fields: CrmField[]) =>
    compileOutbound("opportunities", rows, STAGES, fields, { crmName: "Salesforce" });

  it("with an address in its parts, where an absent part clears its field", () => {
    const plan = compile(
      [row("street=Street,city=City", "custom_fields.address")],
      [fieldOf("Street"), fieldOf("City"), fieldOf("Country")],
    );
    const sent = (value: Json, action = "update") =>
      plan.compose(item({ "custom_fields.address": value }, { action })).write?.fields;
    expect(sent({ city: "Berlin" })).toEqual({ Street: null, City: "Berlin" });
    expect(sent(null)).toEqual({ Street: null, City: null });
    expect(sent({ city: "Berlin" }, "create")).toEqual({ City: "Berlin" });
  });

  it("with relations, of which a new record has only those that are there", () => {
    const plan = compile([], []);
    const relations = { $company: "001", $contact: null };
    expect(plan.compose(item({}, { relations })).write).toEqual({
      key: "k1",
      fields: {},
      company: "001",
      contact: null,
    });
    const made = plan.compose(item({}, { relations, action: "create" }));
    expect(made.write).toEqual({ key: "k1", fields: {}, company: "001" });
    expect(made.sent?.relations).toEqual({ $company: "001" });
  });

  it("without what the CRM lets nobody set, and says so in what was sent", () => {
    const plan = compile(
      [row("Name", "name"), row("Total", "estimated_value")],
      [fieldOf("Name"), fieldOf("Total", { readOnly: true })],
    );
    const made = plan.compose(item({ name: "A", estimated_value: 3 }));
    expect(made.write?.fields).toEqual({ Name: "A" });
    expect(made.sent?.values).toEqual({ name: "A" });
    expect(made.problems).toEqual([
      {
        code: "read_only",
        field: "Total",
        message:
          "Salesforce got this record without Total: the user who connected can only read it there. Map it for reading only (sync_direction pull), or open it in the CRM, then retry the failed records.",
      },
    ]);
    expect(plan.compose(item({ name: "A" })).problems).toEqual([]);
  });

  it("without an object of which one part can only be read there: a half would be read back as a whole", () => {
    const plan = compile(
      [row("Name", "name"), row("street=Street,city=City", "custom_fields.address")],
      [fieldOf("Name"), fieldOf("Street"), fieldOf("City", { readOnly: true })],
    );
    const made = plan.compose(item({ name: "A", "custom_fields.address": { street: "1 Main", city: "Berlin" } }));
    expect([made.write?.fields, made.sent?.values]).toEqual([{ Name: "A" }, { name: "A" }]);
    expect(made.problems).toMatchObject([{ code: "read_only", field: "City" }]);
  });

  it("without an object of which one part is gone from the CRM", () => {
    const plan = compile([row("street=Street,city=Gone", "custom_fields.address")], [fieldOf("Street")]);
    const made = plan.compose(item({ "custom_fields.address": { street: "1 Main", city: "Berlin" } }));
    expect([made.write?.fields, made.sent?.values, made.problems]).toEqual([{}, {}, []]);
  });

  it("without what is gone from the CRM, of which the run tells once", () => {
    const plan = compile([row("Gone", "name", { sync_direction: "push" }), row("Away", "description")], []);
    const made = plan.compose(item({ name: "A", description: "B" }));
    expect([made.write?.fields, made.sent?.values, made.problems]).toEqual([{}, {}, []]);
  });

  it("without what is read only from the CRM, of other entities, or gone from the CRM", () => {
    const rows = [
      row("Name", "name", { sync_direction: "pull" }),
      row("Notes", "notes", { entity_type: "accounts" }),
      row("Gone", "description"),
    ];
    const plan = compile(rows, [fieldOf("Name"), fieldOf("Notes")]);
    expect(plan.compose(item({ name: "A", notes: "B", description: "C" })).write?.fields).toEqual({});
  });

  it("with one of two fields of ours that share one of theirs: the one that is read back", () => {
    const rows = [
      row("CloseDate", "actual_close_date", { sync_direction: "push" }),
      row("CloseDate", "expected_close_date"),
    ];
    const plan = compile(rows, [fieldOf("CloseDate", { type: "date" })]);
    const made = plan.compose(item({ actual_close_date: "2026-01-01", expected_close_date: "2026-02-02" }));
    expect(made.write?.fields).toEqual({ CloseDate: "2026-02-02" });
    expect(made.sent?.values).toEqual({ expected_close_date: "2026-02-02" });
  });
});

describe("the stage of a deal", () => {
  const plan = compileOutbound("opportunities", [row("dealstage", "stage_key")], STAGES, [fieldOf("dealstage")], {
    crmName: "HubSpot",
  });
  const stage = (key: string, pipeline?: string) => plan.compose(item({ stage_key: key }), pipeline);

  it("stays in the pipeline the deal is in", () => {
    expect(stage("lead", "a-special").write?.stage).toEqual({ pipeline: "a-special", id: "s1" });
  });

  it("is the first of the default pipeline for a deal that is in none", () => {
    expect(stage("lead").write?.stage).toEqual({ pipeline: "default", id: "first" });
  });

  it("is found in another pipeline when only that one knows it", () => {
    expect(stage("won", "default").write?.stage).toEqual({ pipeline: "a-special", id: "s9" });
  });

  it("that nobody mapped is left out, and the sentence says where to map it", () => {
    const { problems, write } = stage("lost");
    expect(write?.stage).toBeUndefined();
    expect(problems).toMatchObject([{ code: "unmapped_stage", field: "dealstage" }]);
    expect(problems?.[0]?.message).toContain(
      'no stage that is mapped to "lost". Add one to the connection\'s stage mapping',
    );
  });
});

describe("what a CRM wants of a new record", () => {
  const FIELDS = [
    fieldOf("Name", { required: true }),
    fieldOf("StageName", { required: true }),
    fieldOf("CloseDate", { required: true, type: "date" }),
    fieldOf("Number", { required: true, readOnly: true }),
    fieldOf("Region__c", { required: true }),
  ];
  const rows = [row("Name", "name"), row("StageName", "stage_key"), row("CloseDate", "expected_close_date")];
  const plan = compileOutbound("opportunities", rows, STAGES, FIELDS, { crmName: "Salesforce" });

  it("is said before the call, all of it at once", () => {
    const { rejected } = plan.compose(item({ name: "Deal" }, { action: "create" }));
    expect(rejected).toMatchObject({ code: "required_missing", field: "StageName" });
    expect(rejected?.message).toContain("Salesforce needs StageName, and stage_key is empty");
    expect(rejected?.message).toContain("needs CloseDate, and expected_close_date is empty");
    expect(rejected?.message).toContain("needs Region__c, and nothing here is mapped to it");
    expect(rejected?.message).not.toContain("Number");
  });

  it("keeps a new record back where a needed field does not fit, not where another one does not", () => {
    const fields = [fieldOf("Name", { required: true, maxLength: 5 }), fieldOf("Notes", { maxLength: 5 })];
    const rows = [row("Name", "name"), row("Notes", "description")];
    const short = compileOutbound("opportunities", rows, [], fields, { crmName: "Salesforce" });
    const made = (values: Record<string, Json>) => short.compose(item(values, { action: "create" }));
    expect(made({ name: "Longer", description: "ok" }).rejected).toMatchObject({
      code: "too_long",
      field: "Name",
      message: expect.stringMatching(/^Salesforce did not get this record: Name would hold 6 characters; at most 5/),
    });
    expect(made({ name: "Short", description: "Longer" })).toMatchObject({
      write: { fields: { Name: "Short" } },
      sent: { values: { name: "Short" } },
      problems: [{ code: "too_long", field: "Notes" }],
    });
  });

  it("is not asked of one that is there already", () => {
    expect(plan.compose(item({ name: "Deal" })).write?.fields).toEqual({ Name: "Deal" });
  });
});
