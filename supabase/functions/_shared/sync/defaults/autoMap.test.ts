import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Mock } from "../../../../../packages/mock-crm/src/index.ts";
import { providerFor, SUBJECTS } from "../../crm/conformance.setup.ts";
import { type CrmField, ENTITY_TYPES, type EntityType } from "../../crm/contract.ts";
import { fieldOf } from "../testing.crm.ts";
import { HUBSPOT_PAIRS } from "./hubspot.ts";
import { autoMap, defaultMappings } from "./index.ts";
import type { KnownPairs, ProposedMapping } from "./rows.ts";
import { SALESFORCE_PAIRS } from "./salesforce.ts";
import { jaroWinkler, likeness, words } from "./similarity.ts";

const KNOWN: Record<string, KnownPairs> = { salesforce: SALESFORCE_PAIRS, hubspot: HUBSPOT_PAIRS };
const SEED = 20_261_121;
const pairs = (rows: readonly ProposedMapping[]) => rows.map((row) => `${row.crm_field} → ${row.app_field}`).sort();
const best = (field: CrmField, entity: EntityType = "contacts") => autoMap("salesforce", entity, [field], [])[0];

describe.each(SUBJECTS.map((subject) => [subject.id, subject] as const))("the fields of %s", (id, subject) => {
  let mock: Mock;
  const described = {} as Record<EntityType, CrmField[]>;

  beforeAll(async () => {
    mock = await subject.start(1);
    const session = { accessToken: mock.control.issueToken().token, instanceUrl: mock.url, externalAccountId: "" };
    const provider = providerFor(subject, mock);
    for (const entity of ENTITY_TYPES) described[entity] = await provider.describe(session, entity);
  });
  afterAll(() => mock.stop());

  it.each(ENTITY_TYPES)("known pairs of %s win, each with confidence 1", (entity) => {
    const rows = defaultMappings(id, entity, described[entity]);
    const names = new Set(described[entity].map(({ name }) => name));
    const known = KNOWN[id]?.[entity].filter(({ crm }) => typeof crm === "string" && names.has(crm)) ?? [];
    expect(known.length).toBeGreaterThan(5);
    for (const { crm, app } of known) {
      expect(rows.find((row) => row.app_field === app)).toMatchObject({ crm_field: crm, confidence: 1 });
    }
  });

  it.each(ENTITY_TYPES)(
    "proposals for %s do not depend on the order of the fields, and use each column once",
    (entity) => {
      const usual = pairs(autoMap(id, entity, described[entity], []));
      expect(usual.length).toBeGreaterThan(5);
      const shuffled = fc.shuffledSubarray(described[entity], { minLength: described[entity].length });
      fc.assert(
        fc.property(shuffled, (fields) => {
          expect(pairs(autoMap(id, entity, fields, []))).toEqual(usual);
        }),
        { seed: SEED, numRuns: 15 },
      );
    },
  );

  it.each(ENTITY_TYPES)("whatever is mapped of %s already, nothing is proposed in its place", (entity) => {
    const all = defaultMappings(id, entity, described[entity]);
    fc.assert(
      fc.property(fc.subarray(all), (existing) => {
        const rows = autoMap(id, entity, described[entity], existing);
        const columns = [...existing, ...rows].map((row) => row.app_field);
        expect(new Set(columns).size).toBe(columns.length);
        const used = new Set(existing.filter((row) => row.sync_direction !== "pull").map((row) => row.crm_field));
        const twice = rows.filter((row) => used.has(row.crm_field) && row.sync_direction !== "pull");
        expect(twice).toEqual([]);
        expect(rows.every(({ confidence, reason }) => confidence > 0 && confidence <= 1 && reason !== "")).toBe(true);
      }),
      { seed: SEED, numRuns: 15 },
    );
  });

  it.each(ENTITY_TYPES)(
    "what is mapped on connect leaves little of %s to propose, and nothing that is sure",
    (entity) => {
      const rows = autoMap(id, entity, described[entity], defaultMappings(id, entity, described[entity]));
      expect(rows.filter(({ confidence }) => confidence >= 0.6)).toEqual([]);
    },
  );
});

describe("a proposal", () => {
  it.each<[string, Partial<CrmField>, EntityType, string, number, RegExp]>([
    [
      "by name and label",
      { name: "Lead_Source__c", label: "Lead Source" },
      "contacts",
      "lead_source",
      0.95,
      /name and its label say/,
    ],
    [
      "by name",
      { name: "department__c", label: "Org unit" },
      "contacts",
      "department",
      0.9,
      /name "department__c" says/,
    ],
    ["by label", { name: "f_17", label: "Lead source" }, "contacts", "lead_source", 0.8, /label "Lead source" says/],
    [
      "by a name nearly the same",
      { name: "Departement", label: "x" },
      "contacts",
      "department",
      0.87,
      /is close to department/,
    ],
    ["by another word for it", { name: "surname", label: "x" }, "contacts", "last_name", 0.9, /says last_name/],
    [
      "less sure where the type has to be converted",
      { name: "mobile", label: "x" },
      "contacts",
      "mobile",
      0.86,
      /says mobile/,
    ],
  ])("%s", (_how, field, entity, app_field, confidence, reason) => {
    expect(best(fieldOf(field.name ?? "", field), entity)).toMatchObject({
      app_field,
      confidence,
      reason: expect.stringMatching(reason),
    });
  });

  it("is not made where the type does not fit, or only a word is shared", () => {
    expect(best(fieldOf("employee_count", { type: "date" }), "accounts")).toBeUndefined();
    expect(best(fieldOf("lead_status", { label: "Lead Status" }))).toBeUndefined();
    expect(
      best(fieldOf("hs_deal_stage_probability", { type: "number", label: "Deal probability" }), "opportunities"),
    ).toBeUndefined();
  });

  it("asks the options where only certain values fit: all, some or none of them", () => {
    const status = (...values: string[]) =>
      best(
        fieldOf("company_status", {
          type: "picklist",
          label: "Company status",
          options: values.map((value) => ({ value, label: value })),
        }),
        "accounts",
      );
    expect(status("Lead", "customer")).toMatchObject({
      confidence: 0.95,
      reason: expect.stringContaining("all its options"),
    });
    expect(status("lead", "customer", "churned", "partner")).toMatchObject({
      confidence: 0.43,
      reason: expect.stringContaining("only 3 of its 4 options"),
    });
    expect(status("red", "green")).toBeUndefined();
    expect(status()).toBeUndefined();
  });

  it("knows a stage by what its options are called", () => {
    const options = ["New", "Proposal sent", "Closed won", "Closed lost"].map((label, at) => ({
      value: `s${at}`,
      label,
    }));
    expect(
      best(fieldOf("Deal_Stage__c", { type: "picklist", label: "Deal stage", options }), "opportunities"),
    ).toMatchObject({
      app_field: "stage_key",
      confidence: 0.95,
    });
  });

  it("that keeps records out is never made on connect", () => {
    const options = ["low", "medium", "high", "urgent"].map((value) => ({ value, label: value }));
    const field = fieldOf("priority", { type: "picklist", label: "Priority", options });
    expect(autoMap("salesforce", "opportunities", [field], [])).toMatchObject([
      { app_field: "priority", confidence: 0.43 },
    ]);
    expect(defaultMappings("salesforce", "opportunities", [field])).toEqual([]);
  });
});

describe("how alike names are", () => {
  it.each([
    ["MARTHA", "MARHTA", 0.961],
    ["DWAYNE", "DUANE", 0.84],
    ["abc", "xyz", 0],
    ["same", "same", 1],
  ])("%s and %s by Jaro-Winkler: %s", (a, b, expected) => {
    expect(jaroWinkler(a, b)).toBeCloseTo(expected, 2);
  });

  it("is between 0 and 1, the same from both sides, and 1 for itself", () => {
    const name = fc
      .array(fc.string({ unit: fc.constantFrom(..."abcdeno_ ") }), { maxLength: 4 })
      .map((parts) => words(parts.join(" ")));
    fc.assert(
      fc.property(name, name, (a, b) => {
        const alike = likeness(a, b);
        expect(alike).toBeGreaterThanOrEqual(0);
        expect(alike).toBeLessThanOrEqual(1);
        expect(likeness(b, a)).toBeCloseTo(alike, 10);
        expect(likeness(a, a)).toBe(a.length === 0 ? 0 : 1);
      }),
      { seed: SEED },
    );
  });
});
