import { describe, expect, it } from "vitest";
import type { Db } from "../db/types.ts";
import { importFile } from "./import.ts";
import { IMPORT_KINDS, type ImportKindName } from "./importColumns.ts";
import { MAX_LINES, readCsv } from "./importCsv.ts";
import { readImport } from "./importLines.ts";
import { type ImportInput, importInput } from "./importSchema.ts";

const read = (csv: string, kind: ImportKindName = "employees") => readImport(csv, IMPORT_KINDS[kind]);
const said = (csv: string, kind?: ImportKindName) =>
  read(csv, kind).errors.map(({ line, column, message }) => [line, column, message].join(" "));

describe("a CSV file", () => {
  it("is read with a byte order mark, with any line ends and with any of three separators", () => {
    const expected = { header: ["name", "email"], lines: [{ line: 2, cells: ["Ann", "a@b.test"] }], errors: [] };
    for (const text of [
      "name,email\nAnn,a@b.test",
      "\uFEFFname,email\r\nAnn,a@b.test\r\n",
      "name,email\rAnn,a@b.test\r",
      "Name;E-Mail\nAnn;a@b.test\n".replace("E-Mail", "email"),
      "name\temail\nAnn\ta@b.test",
    ])
      expect(readCsv(text)).toEqual(expected);
  });

  it("counts lines as an editor does: empty ones, and those within a cell", () => {
    const { lines } = readCsv('name,note\r\n\r\nAnn,"two\r\nlines"\r\n,\r\nBo,one\r\n');
    expect(lines).toEqual([
      { line: 3, cells: ["Ann", "two\nlines"] },
      { line: 6, cells: ["Bo", "one"] },
    ]);
  });

  it("says on which line a quote went wrong", () => {
    expect(said('name\nAnn\n"Bo\nCy\n')).toEqual(["3  A quote opens here or below and is never closed."]);
    expect(said('name\nAnn\n"Bo"by\n')[0]).toMatch(/^3 {2}A quote ends in the middle/);
    expect(said('name\nAnn\nBo "the" Birch\n')[0]).toMatch(/^3 {2}A quote stands in the middle/);
  });

  it("of 100,000 lines is read, one more is refused", () => {
    const csv = (lines: number) => `employee,skill\n${"a,b\n".repeat(lines)}`;
    expect(readCsv(csv(MAX_LINES)).errors).toEqual([]);
    expect(said(csv(MAX_LINES + 1), "skills")).toEqual(["100002  A file has at most 100,000 lines. Split this one."]);
  });

  it("that is empty or only blank says so", () => {
    for (const csv of ["", "\n\n", "\uFEFF", ",,\n"]) expect(said(csv)[0]).toMatch(/^1 {1,2}The file is empty/);
  });
});

describe("the header", () => {
  it("is understood in any case, with blanks for underscores", () => {
    expect(read("Name,External ID,Employed From\nAnn,1,2026-01-01").lines).toEqual([
      { line: 2, cells: { name: "Ann", external_id: "1", employed_from: "2026-01-01" } },
    ]);
  });

  it("with a wrong, a doubled or a missing column stops the file", () => {
    const file = read("emial,title,title\nx,y,z");
    expect(file.unusable).toBe(true);
    expect(file.lines).toEqual([]);
    expect(file.errors.map(({ line, column }) => [line, column])).toEqual([
      [1, "emial"],
      [1, "title"],
      [1, "name"],
    ]);
  });
});

describe("a header", () => {
  it("whose last column has no name says which it is", () => {
    expect(read("name;external_id;;\nAnn;1;;").errors).toEqual([
      { line: 1, column: "", message: "Column 3 has no name. Remove it, or name it." },
      { line: 1, column: "", message: "Column 4 has no name. Remove it, or name it." },
    ]);
  });

  it("in another encoding is one fault", () => {
    const message = "The header has characters that cannot be printed. Save the file as UTF-8.";
    for (const header of ["n\u0000a\u0000m\u0000e\u0000", "\uFFFD\uFFFDn\u0000"])
      expect(read(`${header}\nAnn`).errors).toEqual([{ line: 1, column: null, message }]);
  });
});

describe("cells", () => {
  it("mean what their column is", () => {
    const csv = "name,email,fte,employed_to,tags\nAnn,Ann@A.Test,0.5,,roof; wall ;\n";
    expect(read(csv).lines).toEqual([
      { line: 2, cells: { name: "Ann", email: "ann@a.test", fte: 0.5, employed_to: null, tags: ["roof", "wall"] } },
    ]);
    expect(read("employee,skill,level,years,is_primary\nAnn,C++,Senior,2.5,yes", "skills").lines[0]?.cells).toEqual({
      employee: "Ann",
      skill: "C++",
      level: "senior",
      years: 2.5,
      is_primary: true,
    });
  });

  it("that are empty empty a column, but for those that always hold something", () => {
    expect(read("name,external_id,title,fte\nAnn,1,,\n").lines[0]?.cells).toEqual({
      name: "Ann",
      external_id: "1",
      title: null,
    });
  });

  it("that look like a formula are text", () => {
    const formula = '=HYPERLINK("http://evil.test")';
    expect(read(`name,external_id\n"${formula.replaceAll('"', '""')}",+1\n`).lines[0]?.cells).toEqual({
      name: formula,
      external_id: "+1",
    });
  });

  it.each([
    ["fte", "0", "above 0 and up to 1"],
    ["fte", "1.5", "above 0 and up to 1"],
    ["fte", "NaN", "above 0 and up to 1"],
    ["fte", "0,5", "above 0 and up to 1"],
    ["fte", "1e0", "above 0 and up to 1"],
    ["employed_from", "2026-02-30", "is no day"],
    ["employed_from", "21.11.2026", "is no day"],
    ["employed_from", "infinity", "is no day"],
    ["email", "ann", "is no e-mail"],
    ["name", "", "may not be empty"],
    ["name", "x".repeat(256), "255 characters at most"],
    ["title", "a\u0007b", "cannot be printed"],
    ["title", "\u0093quoted\u0094", "cannot be printed"],
    ["name", "Jos\uFFFD", "Save it as UTF-8"],
    ["name", "Jos\ud800", "Save it as UTF-8"],
  ])("%s %s is wrong", (column, value, message) => {
    const cells: Record<string, string> = { name: "Ann", external_id: "1", [column]: value };
    const csv = [Object.keys(cells), Object.values(cells).map((cell) => `"${cell}"`)]
      .map((row) => row.join(","))
      .join("\n");
    expect(read(csv).errors).toEqual([{ line: 2, column, message: expect.stringContaining(message) }]);
  });

  it.each([
    ["skills", "years", "61"],
    ["skills", "level", "guru"],
    ["skills", "is_primary", "maybe"],
    ["allocations", "percentage", "0"],
    ["allocations", "percentage", "120"],
    ["allocations", "percentage", "12.5"],
    ["allocations", "status", "perhaps"],
    ["allocations", "start_date", "tomorrow"],
  ] as const)("of %s: %s %s is wrong", (kind, column, value) => {
    const needed =
      kind === "skills" ? { employee: "Ann", skill: "react" } : { employee: "Ann", start_date: "2026-01-01" };
    const cells = { ...needed, [column]: value };
    const csv = `${Object.keys(cells).join(",")}\n${Object.values(cells).join(",")}`;
    expect(read(csv, kind).errors.map((error) => [error.line, error.column])).toEqual([[2, column]]);
  });

  it("are as many as the header has", () => {
    expect(said("name,external_id\nAnn\nBo,2,3\nCy,3")).toEqual([
      "2  This line has 1 cells, the header has 2.",
      "3  This line has 3 cells, the header has 2.",
    ]);
  });

  it("must fit together", () => {
    expect(said("name,title\nAnn,Boss")).toEqual([
      "2 external_id Give an external id or an e-mail, by which the person is found again.",
    ]);
    expect(said("name,external_id,employed_from,employed_to\nAnn,1,2026-01-02,2026-01-01")).toEqual([
      "2 employed_to Employment cannot end before it begins.",
    ]);
    expect(
      said("employee,project,deal,start_date,end_date\nAnn,Barn,Roof,2026-01-02,2026-01-01", "allocations"),
    ).toEqual([
      "2 deal Time is promised to a project or to a deal, not to both.",
      "2 end_date An allocation cannot end before it begins.",
    ]);
  });
});

describe("the import", () => {
  const WORKSPACE = "11111111-1111-4111-8111-111111111111";

  /** A database that knows everybody but person 9, and remembers what it was asked. */
  function fakeDb() {
    const asked: { lines: { line: number }[]; write: boolean; skip: boolean; actor: string }[] = [];
    const query = async (_text: string, params: readonly unknown[] = []) => {
      const [actor, , , lines, write, skip] = params as [string, string, string, string, boolean, boolean];
      const given = JSON.parse(lines) as { line: number; cells: { external_id?: string } }[];
      asked.push({ actor, lines: given, write, skip });
      const bad = given.filter(({ cells }) => cells.external_id === "9");
      const errors = bad.map(({ line }) => ({ line, column: "external_id", message: "Unknown." }));
      const written = write && (skip || errors.length === 0);
      return [{ outcome: { inserted: given.length - bad.length, updated: 0, unchanged: 0, written, errors } }];
    };
    return { db: { query } as unknown as Db, asked };
  }

  const input = (more: Partial<ImportInput> & { csv: string }): ImportInput =>
    importInput.parse({ workspace_id: WORKSPACE, kind: "employees", ...more });
  const good = "name,external_id\nAnn,1\nBo,2\n";
  const bad = "name,external_id,fte\nAnn,1,1\nBo,2,7\nCy,9,1\n";

  it("tries first: nothing is written unless it is said", async () => {
    const { db, asked } = fakeDb();
    expect(await importFile(input({ csv: good }), { id: "u" }, db)).toEqual({
      kind: "employees",
      rows: 2,
      inserted: 2,
      updated: 0,
      unchanged: 0,
      written: false,
      errors: [],
      more_errors: 0,
    });
    expect(asked).toMatchObject([{ actor: "u", write: false, lines: [{ line: 2 }, { line: 3 }] }]);
  });

  it("writes a file without faults", async () => {
    const { db } = fakeDb();
    expect(await importFile(input({ csv: good, dry_run: false }), { id: "u" }, db)).toMatchObject({ written: true });
  });

  it("stops at one fault of a cell, and still tells those that the database finds", async () => {
    const { db, asked } = fakeDb();
    const answer = await importFile(input({ csv: bad, dry_run: false }), { id: "u" }, db);
    expect(answer.written).toBe(false);
    expect(answer.errors.map(({ line, column }) => [line, column])).toEqual([
      [3, "fte"],
      [4, "external_id"],
    ]);
    expect(asked).toMatchObject([{ write: false }]);
  });

  it("skips wrong lines when that is wanted", async () => {
    const { db, asked } = fakeDb();
    const answer = await importFile(input({ csv: bad, dry_run: false, mode: "skip" }), { id: "u" }, db);
    expect(answer).toMatchObject({ written: true, rows: 3, inserted: 1 });
    expect(asked).toMatchObject([{ write: true, skip: true }]);
  });

  it("never writes a file whose header is wrong, and still asks whether the caller may", async () => {
    const { db, asked } = fakeDb();
    const answer = await importFile(input({ csv: "nmae\nAnn", dry_run: false, mode: "skip" }), { id: "u" }, db);
    expect(answer).toMatchObject({ written: false, inserted: 0 });
    expect(asked).toMatchObject([{ write: false, lines: [] }]);
  });

  it("tells the first thousand faults and counts the rest", async () => {
    const { db } = fakeDb();
    const answer = await importFile(input({ csv: `name,external_id\n${",1\n".repeat(1_200)}` }), { id: "u" }, db);
    expect([answer.errors.length, answer.more_errors]).toEqual([1_000, 200]);
  });

  it("takes no other kind, no empty file and nothing it does not know", () => {
    const body = { workspace_id: WORKSPACE, kind: "employees", csv: "name" };
    for (const wrong of [{ kind: "deals" }, { csv: "" }, { mode: "force" }, { workspace_id: "1" }, { dryrun: false }])
      expect(importInput.safeParse({ ...body, ...wrong }).success).toBe(false);
    expect(importInput.parse(body)).toMatchObject({ dry_run: true, mode: "stop" });
  });
});
