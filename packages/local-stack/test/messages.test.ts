import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { showLogs } from "../src/cli/logs.ts";
import { readOptions } from "../src/cli/options.ts";
import { startStack } from "../src/index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "pipeline-crm-messages-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("what a person is told", () => {
  test("an unknown option: which one, and where the known ones are", () => {
    expect(() => readOptions(["start", "--frob"], {})).toThrow(
      /^Unknown option '--frob'\. "npm run stack" lists the commands and options\.$/,
    );
  });

  test("a log that does not exist, before there is any", async () => {
    await expect(showLogs(folder, "nothing", false, process.stdout)).rejects.toThrow(/^There are no logs yet: /);
  });

  test("a data folder that cannot be made: how to choose another", async () => {
    await writeFile(path.join(folder, "file"), "");
    const dataDir = path.join(folder, "file", "data");
    const start = startStack({ projectRoot: folder, dataDir, portBase: 58_700 });
    await expect(start).rejects.toThrow(
      /^The data folder cannot be made: .* Choose another one with PIPELINE_DATA_DIR\.$/,
    );
  });
});
