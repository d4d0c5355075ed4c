import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { IMPORT_KINDS } from "../../../supabase/functions/_shared/forecast/importColumns.ts";
import { readImport } from "../../../supabase/functions/_shared/forecast/importLines.ts";
import { formatDay, parseDay } from "../../../supabase/functions/_shared/planning/time/days.ts";
import { PROJECT_ROOT } from "../../lib/workbench.ts";
import { SAMPLE } from "../report/sample.ts";
import { copyMaven, monthsLater, monthsSince } from "./dates.ts";
import { inventDemands } from "./deals.ts";
import { csvOf, inventTeam, PROJECTS, SKILLS, TEAM_SIZE } from "./team.ts";
import { renderTerminal } from "./terminal.ts";

const FROM = "2026-11-01";

describe("the Maven data, moved on in time", () => {
  it("end with the month before today", () => {
    expect([monthsSince("2018-01-01"), monthsSince("2018-12-31"), monthsSince("2026-11-21")]).toEqual([0, 11, 106]);
    expect(monthsLater("2017-12-31", 106)).toBe("2026-10-31");
  });

  it("keep their day of the month, or take the last there is", () => {
    expect([monthsLater("2017-01-31", 1), monthsLater("2017-12-30", 26), monthsLater("2016-10-20", 0)]).toEqual([
      "2017-02-28",
      "2020-02-29",
      "2016-10-20",
    ]);
  });

  it("are otherwise what they were", async () => {
    const from = join(PROJECT_ROOT, "packages", "mock-crm", "data", "maven-crm-sales");
    const to = await mkdtemp(join(tmpdir(), "pipeline-crm-maven-"));
    try {
      await copyMaven(from, to, 12);
      const read = async (folder: string, name: string) => readFile(join(folder, name), "utf8");
      expect(await read(to, "products.csv")).toBe(await read(from, "products.csv"));
      const [before, after] = [await read(from, "sales_pipeline.csv"), await read(to, "sales_pipeline.csv")];
      expect(after).not.toBe(before);
      const days = /\d{4}-\d{2}-\d{2}/g;
      expect(after.replace(days, "")).toBe(before.replace(days, ""));
      expect(after.match(days)?.[0]).toBe(monthsLater(before.match(days)?.[0] ?? "", 12));
    } finally {
      await rm(to, { recursive: true });
    }
  });
});

describe("the invented team", () => {
  const team = inventTeam(FROM, 40);

  it("is the same for the same seed, and another for another", () => {
    expect(inventTeam(FROM, 40)).toEqual(team);
    expect(inventTeam(FROM, 41)).not.toEqual(team);
  });

  it("has forty people, each with one primary skill, promised to projects that there are", () => {
    expect(team.colleagues).toHaveLength(TEAM_SIZE);
    expect(SKILLS.reduce((sum, { people }) => sum + people, 0)).toBe(TEAM_SIZE);
    const primary = team.abilities.filter(({ is_primary }) => is_primary === "yes").map(({ employee }) => employee);
    expect(new Set(primary).size).toBe(TEAM_SIZE);
    expect(primary).toHaveLength(TEAM_SIZE);
    expect(team.promises.every(({ project }) => PROJECTS.includes(project))).toBe(true);
  });

  it("can be imported: no line of its files has a fault", () => {
    for (const [kind, rows] of [
      ["employees", team.colleagues],
      ["skills", team.abilities],
      ["allocations", team.promises],
    ] as const) {
      const file = readImport(csvOf(rows), IMPORT_KINDS[kind]);
      expect(file.errors).toEqual([]);
      expect(file.lines).toHaveLength(rows.length);
    }
  });

  it("is asked for by deals of products that need delivering, with skills that it has", () => {
    const deals = ["GTK 500", "MG Special", "GTXPro"].map((product, at) => ({ id: `d${at}`, product }));
    const demands = inventDemands(deals, FROM, 1);
    expect(demands.map(({ pipeline_project_id }) => pipeline_project_id)).toEqual(["d0", "d0", "d0", "d2", "d2"]);
    const keys = SKILLS.map(({ key }) => key);
    for (const { skill_key, alternatives, start_date, end_date } of demands) {
      expect(keys).toEqual(expect.arrayContaining([skill_key, ...alternatives]));
      expect(start_date > FROM && end_date > start_date).toBe(true);
    }
    expect(inventDemands(deals, FROM, 1)).toEqual(demands);
  });
});

describe("CSV that is written", () => {
  it("is read again as it was: quotes, commas and line ends in it", () => {
    const file = readImport(csvOf([{ name: 'A "B", C\nD', external_id: "1" }]), IMPORT_KINDS.employees);
    expect(file.lines[0]?.cells.name).toBe('A "B", C\nD');
    expect(csvOf([])).toBe("");
  });
});

describe("the report in a terminal", () => {
  const plain = stripVTControlCharacters(renderTerminal(SAMPLE, 100));

  it("says the numbers of the page without needing colours", () => {
    for (const words of [
      "4,238",
      "$10,005,534",
      "Nov 2026",
      "$600k",
      "10,000 runs, seed 2017",
      "163",
      "∞",
      "(has passed)",
    ])
      expect(plain).toContain(words);
  });

  it("draws a band from P10 to P90 with P50 within", () => {
    const [line = ""] = plain.split("\n").filter((row) => row.includes("Nov 2026"));
    expect(line).toMatch(/░+┃░+/);
    // P90 of the pipeline in November is 900 of the 1,200 thousand that the scale goes to.
    const drawn = line.indexOf("┃") - line.indexOf("░");
    expect(drawn).toBeGreaterThan(0);
    expect(line.lastIndexOf("░")).toBeLessThan(line.indexOf("│", line.lastIndexOf("░")) - 5);
  });

  it("fits the window, and says in each the same", () => {
    const weeks = Array.from({ length: 18 }, (_, at) => formatDay((parseDay("2026-11-02") ?? 0) + 7 * at));
    const skills = SAMPLE.capacity.skills.map((one) => ({
      ...one,
      weeks: weeks.flatMap((_, at) => one.weeks[at % one.weeks.length] ?? []),
    }));
    const names = Math.max(...skills.map(({ skill }) => skill.length));
    for (const columns of [78, 80, 100, 200]) {
      const text = renderTerminal({ ...SAMPLE, capacity: { weeks, skills } }, columns);
      const lines = stripVTControlCharacters(text).split("\n");
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      const cells = (line: string) =>
        line
          .slice(2 + names)
          .trim()
          .split(/ +/);
      for (const { skill } of skills)
        expect(lines.filter((line) => line.startsWith(`  ${skill} `)).flatMap(cells)).toHaveLength(weeks.length);
    }
  });
});
