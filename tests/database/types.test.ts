import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { generateDatabaseTypes, TYPES_FILE } from "../../scripts/lib/database-types.ts";
import { bench } from "../support/bench.ts";

test("the checked-in Database type is what the migrations make (refresh it with: npm run types)", async () => {
  const [checkedIn, generated] = await Promise.all([
    readFile(TYPES_FILE, "utf8"),
    generateDatabaseTypes(bench().dbUrl),
  ]);
  expect(checkedIn).toBe(generated);
});
