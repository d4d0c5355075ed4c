import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { PROJECT_ROOT } from "../../scripts/lib/workbench.ts";
import { docFiles } from "../support/doc-samples.ts";

/** What the docs point to is there: pages, headings, files of code and tests, commands. */

const FENCE = /^```[\s\S]*?^```$/gm;
const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g;
const CODE_FILE = /`(\w[\w./*-]*\.(?:ts|sql))`/g;
const TEST_NAME = /`([\w.-]+\/[\w./*-]+|[\w.-]+\.test\.(?:ts|sql)|\d\d_\w+)`/g;
const COMMAND = /npm run ([\w:-]+)/g;

const FILES = ["bench", "packages", "scripts", "supabase", "tests"].flatMap((folder) =>
  readdirSync(join(PROJECT_ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => !path.includes("node_modules"))
    .map((path) => `${folder}/${path}`),
);
const TESTS = FILES.filter((file) => /\.test\.(ts|sql)$/.test(file));

const pages = [...docFiles(), ...FILES.filter((file) => file.endsWith("README.md"))];
const text = (file: string) => readFileSync(join(PROJECT_ROOT, file), "utf8");
const prose = (file: string) => text(file).replace(FENCE, "");
const named = (source: string, pattern: RegExp) => [...source.matchAll(pattern)].map(([, name = ""]) => name);

/** As GitHub makes them. */
const anchorsOf = (file: string) =>
  [...prose(file).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-"),
  );

function dangling(file: string): string[] {
  return named(prose(file), LINK).filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? file : normalize(join(dirname(file), path));
    if (!existsSync(join(PROJECT_ROOT, target))) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
}

/** The end of a path, of a test also without its ending; a folder's name or a star stands for the files in it. */
function isOneOf(files: readonly string[], name: string): boolean {
  const asPattern = name.replaceAll(".", "\\.").replaceAll("*", "[^/]*");
  const pattern = new RegExp(`(^|/)${asPattern}(\\.test\\.(ts|sql))?$|(^|/)${asPattern}/`);
  return files.some((file) => pattern.test(file));
}

/** From the last cells of the tables whose last column is named Test. */
function testNames(file: string): string[] {
  return prose(file)
    .split("\n\n")
    .filter((block) => /\| Test \|\n/.test(block))
    .flatMap((block) => block.split("\n").slice(2))
    .flatMap((row) => named(row.split(" | ").at(-1) ?? "", TEST_NAME));
}

/** What is wrong, each with its page. */
const wrong = (find: (file: string) => string[], among = pages) =>
  among.flatMap((file) => find(file).map((name) => `${file}: ${name}`));

describe("what the docs point to is there", () => {
  it("pages and headings", () => expect(wrong(dangling)).toEqual([]));

  it("files of code; decisions speak of their day", () => {
    const now = pages.filter((file) => !file.startsWith("docs/decisions/"));
    expect(wrong((file) => named(prose(file), CODE_FILE).filter((name) => !isOneOf(FILES, name)), now)).toEqual([]);
  });

  it("tests", () => expect(wrong((file) => testNames(file).filter((name) => !isOneOf(TESTS, name)))).toEqual([]));

  it("commands", () => {
    const { scripts } = JSON.parse(text("package.json")) as { scripts: Record<string, string> };
    expect(wrong((file) => named(text(file), COMMAND).filter((name) => scripts[name] === undefined))).toEqual([]);
  });

  it("every function of the API has its row", () => {
    const migrations = FILES.filter((file) => file.startsWith("supabase/migrations/"));
    const rpcs = named(migrations.map(text).join("\n"), /^create (?:or replace )?function public\.(\w+)\(/gm);
    const api = docFiles()
      .filter((file) => file.startsWith("docs/api/"))
      .map(text)
      .join("\n");
    expect(rpcs.length).toBeGreaterThan(20);
    expect(rpcs.filter((name) => !api.includes(`\`${name}\``))).toEqual([]);
  });

  it("every table and view is in the data model, and its readers and writers in the security page", () => {
    const migrations = FILES.filter((file) => file.startsWith("supabase/migrations/"));
    const names = named(migrations.map(text).join("\n"), /^create (?:table|view) public\.(\w+)/gm);
    expect(names.length).toBeGreaterThan(60);
    const missing = (page: string) => names.filter((name) => !text(page).includes(`\`${name}\``));
    expect({ model: missing("docs/data-model.md"), security: missing("docs/security.md") }).toEqual({
      model: [],
      security: [],
    });
  });

  it("is looked for in earnest", () => {
    expect(pages.flatMap((file) => named(prose(file), LINK)).length).toBeGreaterThan(40);
    expect(testNames("docs/api.md").length).toBeGreaterThan(80);
    expect(testNames("docs/operations.md").length).toBeGreaterThan(40);
    expect(["e2e/none", "sync/01_run", "none.test.ts"].filter((name) => isOneOf(TESTS, name))).toEqual([]);
    expect(isOneOf(TESTS, "e2e/docs")).toBe(true);
  });
});
