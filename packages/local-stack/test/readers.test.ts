import { describe, expect, test } from "vitest";
import { readOptions } from "../src/cli/options.ts";
import { parseDotEnv } from "../src/functions/environment.ts";
import { statusOf } from "../src/rest/errors.ts";
import { parsePortBase } from "../src/settings.ts";
import { judge, parseTap } from "../src/tap/parse.ts";
import { parseToml } from "../src/toml.ts";

describe("config.toml", () => {
  test("tables, dotted tables, strings, numbers, booleans, arrays over lines, comments", () => {
    const text = `
      project_id = "a#b" # a comment
      [api]
      schemas = ["public",
                 'other'] # two
      max_rows = 1_000
      [functions.crm-sync]
      verify_jwt = false
      [auth.email]
      otp = { length = 6 }`.replace(/\n\s*otp.*/, "");
    expect(parseToml(text)).toEqual({
      project_id: "a#b",
      api: { schemas: ["public", "other"], max_rows: 1000 },
      functions: { "crm-sync": { verify_jwt: false } },
      auth: { email: {} },
    });
  });

  test.each([
    ["a = { b = 1 }", "line 1: the value { b = 1 } is of a kind this reader does not know"],
    ["\nnonsense", 'line 2: "nonsense" is not key = value'],
  ])("what it cannot read is an error that names the line: %j", (text, message) => {
    expect(() => parseToml(text)).toThrow(message);
  });
});

describe(".env", () => {
  test("plain, quoted, exported and commented lines", () => {
    expect(parseDotEnv("A=1 # one\nexport B=\"two words\\nand more\"\n# C=no\nD='#4'\nE=\n")).toEqual({
      A: "1",
      B: "two words\nand more",
      D: "#4",
      E: "",
    });
  });
});

describe("options", () => {
  test("the port base comes from the flag, else from the environment, else it is 54320", () => {
    expect(readOptions(["start"], {}).portBase).toBe(54320);
    expect(readOptions(["start"], { PIPELINE_PORT_BASE: "50000" }).portBase).toBe(50000);
    expect(readOptions(["start", "--port-base", "51000"], { PIPELINE_PORT_BASE: "50000" }).portBase).toBe(51000);
  });

  test.each(["abc", "80", "70000", "1.5"])("%s is no port base", (text) => {
    expect(() => parsePortBase(text, "--port-base")).toThrow(
      `--port-base must be a whole number from 1024 to 65485, not "${text}".`,
    );
  });

  test("what follows psql is for psql", () => {
    expect(readOptions(["psql", "-c", "select 1", "--data-dir", "/x"], {})).toMatchObject({
      command: "psql",
      rest: ["-c", "select 1"],
      dataDir: "/x",
    });
  });

  test("an unknown option is refused", () => {
    expect(() => readOptions(["start", "--prot-base", "1"], {})).toThrow("--prot-base");
  });
});

describe("HTTP status of an SQLSTATE", () => {
  test.each([
    ["PC002", 400],
    ["23503", 409],
    ["40001", 500],
    ["53300", 503],
    ["P0002", 500],
    ["28000", 403],
    ["25006", 405],
  ])("%s is %i, as in PostgREST", (code, status) => {
    expect(statusOf(code, "")).toBe(status);
  });
});

describe("TAP", () => {
  test("reads plan, results, directives and diagnostics", () => {
    const output = parseTap([
      "1..3",
      "ok 1 - first",
      "not ok 2 - second\n# Failed test 2\n#   have: 1",
      "not ok 3 - later # TODO not yet",
    ]);
    expect(output.tests).toMatchObject([
      { ok: true, number: 1, name: "first" },
      { ok: false, name: "second", diagnostics: ["Failed test 2", "  have: 1"] },
      { ok: false, name: "later", directive: "TODO not yet" },
    ]);
    expect(judge(output)).toEqual(["not ok 2 - second"]);
  });

  test.each([
    [["1..2", "ok 1 - a"], "planned 2 tests but ran 1"],
    [["ok 1 - a"], "no plan: the file must call plan(n) or no_plan() and finish()"],
    [["1..0 # SKIP no reason"], "the whole file is skipped"],
    [["1..1", "ok 1 - a # SKIP lacks something"], "skipped: 1 - a"],
  ])("%j does not pass", (rows, problem) => {
    expect(judge(parseTap(rows))).toContain(problem);
  });

  test("a plan at the end counts too", () => {
    expect(judge(parseTap(["ok 1 - a", "1..1"]))).toEqual([]);
  });
});
