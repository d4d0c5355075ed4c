import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { runPgTap } from "@pipeline-crm/local-stack";
import { describe, expect, test } from "vitest";
import { PROJECT_ROOT } from "../../scripts/lib/workbench.ts";
import { bench } from "../support/bench.ts";

const folder = join(PROJECT_ROOT, "supabase", "tests");
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.sql"))
  .sort()
  .map((name) => join(folder, name));

describe("pgTAP", () => {
  test("there are test files", () => expect(files.length).toBeGreaterThan(10));

  test.each(files.map((file) => [relative(folder, file), file]))("%s", async (_name, file) => {
    const [result] = await runPgTap(bench().dbUrl, [file]);
    expect(result?.problems).toEqual([]);
    expect(result?.tests.length).toBeGreaterThan(0);
  });
});
