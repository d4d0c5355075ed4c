import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Entity, type Filter, filters, means, samples } from "../support/filter-records.ts";
import { askCrm, askOwn, type CrmSide, crmSide, type OwnSide, ownSide } from "../support/filter-sides.ts";
import { openSql } from "../support/world.ts";

const SEED = Number(process.env.FILTER_SEED ?? 20261121);
const CASES = 200;
const RECORDS = 60;

/** Filters by chance over records by chance: Salesforce, HubSpot and our own SQL answer as the plain reading of the filter does. */
describe("a filter means the same everywhere", () => {
  const records = {
    accounts: samples("accounts", RECORDS, SEED),
    opportunities: samples("opportunities", RECORDS, SEED),
  };
  const sql = openSql();
  let sides: CrmSide[];
  let own: OwnSide;

  beforeAll(async () => {
    sides = [await crmSide("salesforce", records), await crmSide("hubspot", records)];
    own = await ownSide(sql, sides, records);
  });
  afterAll(async () => {
    await Promise.all(sides.map((side) => side.mock.stop()));
    await sql.end();
  });

  test.each<Entity>(["accounts", "opportunities"])(`for ${CASES} filters on %s (seed ${SEED})`, async (entity) => {
    let matched = 0;
    const agree = async (filter: Filter) => {
      const wanted = records[entity].filter((sample) => means(entity, filter, sample)).map(({ key }) => key);
      if (wanted.length > 0 && wanted.length < RECORDS) matched += 1;
      for (const side of sides) {
        expect({ where: side.id, keys: await askCrm(side, entity, filter) }).toEqual({ where: side.id, keys: wanted });
        const ours = await askOwn(sql, own, side, entity, filter);
        expect({ where: `ours for ${side.id}`, keys: ours }).toEqual({ where: `ours for ${side.id}`, keys: wanted });
      }
    };
    await fc.assert(fc.asyncProperty(filters(entity), agree), { seed: SEED, numRuns: CASES });
    // Filters that let everything or nothing through would prove little.
    expect(matched).toBeGreaterThan(CASES / 3);
  });
});
