import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/** The walls of docs/architecture.md, read from the imports. A file that crosses one fails by name. */

const root = fileURLToPath(new URL("../../", import.meta.url));
const functionsDir = join(root, "supabase", "functions");
const posix = (path: string) => path.split(sep).join("/");

interface SourceFile {
  /** From supabase/functions. */
  path: string;
  text: string;
  /** Relative imports resolved from supabase/functions, others as written. */
  imports: string[];
}

const IMPORT = /(?:^|\n)\s*(?:import|export)\b[^;"']*?\bfrom\s+["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g;

const files: SourceFile[] = readdirSync(functionsDir, { recursive: true, encoding: "utf8" })
  .map(posix)
  .filter((path) => path.endsWith(".ts") && !path.includes("node_modules"))
  .map((path) => {
    const text = readFileSync(join(functionsDir, path), "utf8");
    const imports = [...text.matchAll(IMPORT)].map(([, from, dynamic]) => resolved(path, from ?? dynamic ?? ""));
    return { path, text, imports };
  });

function resolved(importer: string, specifier: string): string {
  return specifier.startsWith(".") ? posix(normalize(join(dirname(importer), specifier))) : specifier;
}

const production = files.filter(({ path }) => !path.endsWith(".test.ts"));
const within = (folder: string) => production.filter(({ path }) => path.startsWith(folder));
const crossings = (sources: SourceFile[], forbidden: (target: string, path: string) => boolean) =>
  sources.flatMap(({ path, imports }) =>
    imports.filter((target) => forbidden(target, path)).map((target) => `${path} imports ${target}`),
  );

const providers = readdirSync(join(functionsDir, "_shared", "crm"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
const functions = readdirSync(functionsDir, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith("_"))
  .map((entry) => entry.name);

describe("walls between the rooms", () => {
  it("are looked at: there are providers, functions and files", () => {
    expect(providers).toEqual(expect.arrayContaining(["hubspot", "salesforce"]));
    expect(functions).toEqual(expect.arrayContaining(["crm-oauth", "crm-sync"]));
    expect(within("_shared/sync/").length).toBeGreaterThan(5);
    expect(files.flatMap((file) => file.imports).length).toBeGreaterThan(100);
  });

  it.each(providers)("%s knows no other provider, no database and nothing beyond crm/ and its client", (provider) => {
    const own = `_shared/crm/${provider}/`;
    const foreign = (target: string) =>
      target.startsWith("_shared/") &&
      !target.startsWith(own) &&
      !isCommonCrm(target) &&
      target !== "_shared/settings.ts";
    expect(crossings(within(own), foreign)).toEqual([]);
  });

  it("the sync engine knows the contract, not the providers", () => {
    const provider = (target: string) =>
      providers.some((name) => target.startsWith(`_shared/crm/${name}/`)) || target === "_shared/crm/registry.ts";
    expect(crossings(within("_shared/sync/"), provider)).toEqual([]);
  });

  it("mapping and defaults are pure: no database, no log, no http", () => {
    const impure = (target: string) => /^_shared\/(db|log|http|connect)\//.test(target);
    const pure = [...within("_shared/sync/mapping/"), ...within("_shared/sync/defaults/")];
    expect(crossings(pure, impure)).toEqual([]);
  });

  it("planning is arithmetic: it knows nothing but itself", () => {
    const planning = within("_shared/planning/");
    expect(planning.length).toBeGreaterThan(30);
    expect(crossings(planning, (target) => !target.startsWith("_shared/planning/"))).toEqual([]);
    expect(
      planning.filter(({ text }) => /\bMath\.random\b|\bDate\.now\b|\bnew Date\(\)/.test(text)).map(({ path }) => path),
    ).toEqual([]);
  });

  it("the shell of the forecasts knows its arithmetic and the database, and no CRM", () => {
    const shell = within("_shared/forecast/").filter(({ path }) => !path.endsWith("testing.ts"));
    expect(shell.length).toBeGreaterThan(10);
    const known = /^_shared\/(forecast|planning|db|http|log)\//;
    expect(crossings(shell, (target) => target.startsWith("_shared/") && !known.test(target))).toEqual([]);
    // Text of SQL stands in db/ only.
    expect(shell.filter(({ text }) => /\.query\(/.test(text)).map(({ path }) => path)).toEqual([]);
  });

  it("the common rooms know no function", () => {
    const isFunction = (target: string) => functions.some((name) => target.startsWith(`${name}/`));
    expect(crossings(within("_shared/"), isFunction)).toEqual([]);
  });

  it("functions know no other function", () => {
    const sources = production.filter(({ path }) => !path.startsWith("_shared/"));
    const other = (target: string, path: string) =>
      functions.some((name) => target.startsWith(`${name}/`) && !path.startsWith(`${name}/`));
    expect(crossings(sources, other)).toEqual([]);
  });

  it("only http, db and a function's index touch the runtime", () => {
    const allowed = (path: string) => /^_shared\/(http|db)\//.test(path) || /^[^_/][^/]*\/index\.ts$/.test(path);
    const touching = production.filter(({ path, text }) => /\bDeno\.\w/.test(text) && !allowed(path));
    expect(touching.map(({ path }) => path)).toEqual([]);
  });

  it("relative imports name the file with its ending, as Deno wants", () => {
    const bare = files.flatMap(({ path, imports }) =>
      imports
        .filter((target) => target.startsWith("_shared/") && !target.endsWith(".ts"))
        .map((target) => `${path}: ${target}`),
    );
    expect(bare).toEqual([]);
  });
});

function isCommonCrm(target: string): boolean {
  return /^_shared\/crm\/[^/]+\.ts$/.test(target) && target !== "_shared/crm/registry.ts";
}

describe("sizes", () => {
  it.each(functions)("%s/index.ts parses, authorises, calls and answers in 60 lines", (name) => {
    expect(lines(join(functionsDir, name, "index.ts"))).toBeLessThanOrEqual(60);
  });

  it("no file of the functions is longer than 300 lines", () => {
    const long = production.filter(({ path }) => lines(join(functionsDir, path)) > 300);
    expect(long.map(({ path }) => path)).toEqual([]);
  });
});

function lines(path: string): number {
  return readFileSync(path, "utf8").trimEnd().split("\n").length;
}

describe("versions", () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<
    string,
    Record<string, string>
  >;
  const pinned: Record<string, string> = { ...manifest.dependencies, ...manifest.devDependencies };

  const configs = [...functions.map((name) => join(functionsDir, name, "deno.json")), join(root, "bench", "deno.json")];

  it.each(configs.map((path) => [posix(relative(root, path)), path]))(
    "%s names exactly the versions that are tested",
    (_, path) => {
      const { imports } = JSON.parse(readFileSync(path, "utf8")) as { imports: Record<string, string> };
      for (const target of Object.values(imports)) {
        const match = /^npm:\/?((?:@[^/]+\/)?[^@/]+)@([^/]+)\/?$/.exec(target);
        expect(match, `${relative(root, path)}: ${target}`).not.toBeNull();
        expect(`${match?.[1]}@${match?.[2]}`).toBe(`${match?.[1]}@${pinned[match?.[1] ?? ""]}`);
      }
    },
  );

  it.each(functions)("%s maps every package it imports", (name) => {
    const { imports } = JSON.parse(readFileSync(join(functionsDir, name, "deno.json"), "utf8")) as {
      imports: Record<string, string>;
    };
    const keys = Object.keys(imports);
    const missing = reached(`${name}/index.ts`)
      .flatMap((file) => file.imports)
      .filter((target) => !files.some((file) => file.path === target))
      .filter(
        (target) =>
          !target.startsWith("node:") &&
          !keys.some((key) => target === key || (key.endsWith("/") && target.startsWith(key))),
      );
    expect([...new Set(missing)]).toEqual([]);
  });
});

/** Everything a file pulls in, itself included. */
function reached(start: string, seen = new Map<string, SourceFile>()): SourceFile[] {
  const file = files.find(({ path }) => path === start);
  if (file === undefined || seen.has(start)) return [...seen.values()];
  seen.set(start, file);
  for (const target of file.imports) reached(target, seen);
  return [...seen.values()];
}
