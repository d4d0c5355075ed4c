import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ENTITY_TYPES } from "../crm/contract.ts";
import { APP_FIELDS, type AppField } from "./appFields.ts";

/** entity, field, characters, decimals, least, most, allowed, required of every mappable column, from the migration that lists them. */
const ROW =
  /\('(accounts|contacts|opportunities)', '(\w+)', '\w+', '\w+', '\w+', '[^']*', (\w+), (\w+), (\w+), (\w+), ('\{[^']*\}'|null), (true|false),/g;

interface Listed {
  max?: number;
  range?: number[];
  choices?: string[];
  required: boolean;
}

const migrations = new URL("../../../migrations/", import.meta.url);
const listed = new Map<string, Listed>();
for (const name of readdirSync(migrations).sort()) {
  for (const row of readFileSync(new URL(name, migrations), "utf8").matchAll(ROW)) {
    const [, entity, field, max, , least, most, allowed, required] = row;
    listed.set(`${entity}.${field}`, {
      ...(max === "null" ? {} : { max: Number(max) }),
      ...(least === "null" ? {} : { range: [Number(least), Number(most)] }),
      ...(allowed === "null" || allowed === undefined ? {} : { choices: allowed.slice(2, -2).split(",") }),
      required: required === "true",
    });
  }
}

const ours: [string, AppField][] = ENTITY_TYPES.flatMap((entity) =>
  Object.entries(APP_FIELDS[entity]).map(([field, column]): [string, AppField] => [`${entity}.${field}`, column]),
);

describe("the list of fields that can be mapped", () => {
  it("is the same here and in the database", () => {
    expect(ours.map(([name]) => name).sort()).toEqual([...listed.keys()].sort());
  });

  it.each(ours)("%s takes nothing that the database would refuse", (name, column) => {
    const { max, range, choices, required } = listed.get(name) ?? { required: false };
    expect(column.required ?? false).toBe(required);
    if (max !== undefined && column.choices === undefined) expect(column.max).toBeLessThanOrEqual(max);
    if (choices !== undefined) expect(column.choices).toEqual(choices);
    if (range !== undefined) {
      expect(column.range?.[0]).toBe(range[0]);
      expect(column.range?.[1]).toBeLessThanOrEqual(range[1] ?? 0);
    }
  });
});
