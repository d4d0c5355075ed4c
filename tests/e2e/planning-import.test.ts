import { beforeAll, describe, expect, test } from "vitest";
import { readProblem } from "../../scripts/lib/oauth-browser.ts";
import type { Client, Role } from "../../scripts/lib/people.ts";
import type { ImportAnswer } from "../../supabase/functions/_shared/forecast/import.ts";
import { newWorld, openSql, type World } from "../support/world.ts";

let world: World;

interface Request {
  kind: string;
  csv: string;
  dry_run?: boolean;
  mode?: string;
}

const ask = (client: Client, body: object) => client.functions.invoke("pipeline-forecast/import", { body });

async function importAs(role: Role, request: Request): Promise<ImportAnswer> {
  const { data, error } = await ask(world.people[role], { workspace_id: world.workspaceId, ...request });
  if (error) throw new Error(await readProblem(error), { cause: error });
  return data as ImportAnswer;
}

async function refusal(client: Client, body: object) {
  const { data, error } = await ask(client, { workspace_id: world.workspaceId, kind: "employees", ...body });
  expect(data).toBeNull();
  const { status } = (error as { context: Response }).context;
  return { status, sentence: await readProblem(error) };
}

async function namesOf(role: Role): Promise<string[]> {
  const { data, error } = await world.people[role]
    .from("employees")
    .select("name")
    .eq("workspace_id", world.workspaceId)
    .is("deleted_at", null)
    .order("name");
  if (error) throw error;
  return data.map(({ name }) => name);
}

const PEOPLE = [
  "\uFEFFName;External ID;Email;Team;FTE;Employed from;Tags",
  'Ann Ash;1;Ann@Example.Test;Field;0.5;2026-01-01;"roof; wall"',
  '"Birch; Bo";2;;;;;',
  "=SUM(1;2);3;;;;;".replace("=SUM(1;2)", '"=SUM(1;2)"'),
  "",
].join("\r\n");

beforeAll(async () => {
  world = await newWorld();
  const { admin } = world.people;
  const workspace_id = world.workspaceId;
  const made = await Promise.all([
    admin.from("teams").insert({ workspace_id, name: "Field" }),
    admin.from("skills").insert([
      { workspace_id, key: "roofing", label: "Roofing", category: "craft" },
      { workspace_id, key: "react", label: "React", category: "software" },
    ]),
    admin.from("crm_projects").insert({ workspace_id, name: "Barn" }),
  ]);
  for (const { error } of made) if (error) throw error;
  const alias = await admin.from("skill_aliases").insert({ workspace_id, alias: "reactjs", skill_key: "react" });
  if (alias.error) throw alias.error;
});

describe("a file of people", () => {
  test("is tried first: the counts are there, the people are not", async () => {
    const answer = await importAs("admin", { kind: "employees", csv: PEOPLE });
    expect(answer).toEqual({
      kind: "employees",
      rows: 3,
      inserted: 3,
      updated: 0,
      unchanged: 0,
      written: false,
      errors: [],
      more_errors: 0,
    });
    expect(await namesOf("viewer")).toEqual([]);
  });

  test("is written when that is said, a cell that looks like a formula as text", async () => {
    const answer = await importAs("admin", { kind: "employees", csv: PEOPLE, dry_run: false });
    expect(answer).toMatchObject({ inserted: 3, written: true });
    expect(await namesOf("viewer")).toEqual(["=SUM(1;2)", "Ann Ash", "Birch; Bo"].sort((a, b) => a.localeCompare(b)));
    const { data } = await world.people.viewer
      .from("employees")
      .select("email, fte, employed_from, tags, created_by, teams(name)")
      .eq("workspace_id", world.workspaceId)
      .eq("external_id", "1")
      .single();
    const { data: admin } = await world.people.admin.auth.getUser();
    expect(data).toEqual({
      email: "ann@example.test",
      fte: 0.5,
      employed_from: "2026-01-01",
      tags: ["roof", "wall"],
      created_by: admin.user?.id,
      teams: { name: "Field" },
    });
  });

  test("again changes nothing", async () => {
    const answer = await importAs("admin", { kind: "employees", csv: PEOPLE, dry_run: false });
    expect(answer).toMatchObject({ inserted: 0, updated: 0, unchanged: 3, written: true });
  });

  test("with faults says all of them by line, from the cells and from the workspace, and writes nothing", async () => {
    const csv = ["name,external_id,team,fte", "Cy,4,Field,1", "Di,5,Nowhere,1", "Ed,6,Field,7", "Flo,4,Field,1"].join(
      "\n",
    );
    const answer = await importAs("admin", { kind: "employees", csv, dry_run: false });
    expect(answer).toMatchObject({ written: false, rows: 4 });
    expect(answer.errors).toEqual([
      { line: 3, column: "team", message: 'There is no team "Nowhere".' },
      { line: 4, column: "fte", message: '"7" is not a number such as 0.5 above 0 and up to 1.' },
      { line: 5, column: "external_id", message: "This is on line 2 already." },
    ]);
    expect(await namesOf("viewer")).toHaveLength(3);
    const skipped = await importAs("admin", { kind: "employees", csv, dry_run: false, mode: "skip" });
    expect(skipped).toMatchObject({ written: true, inserted: 1 });
    expect(skipped.errors).toEqual(answer.errors);
    expect(await namesOf("viewer")).toContain("Cy");
  });
});

describe("files of what people can do and are promised to", () => {
  test("find people, skills and projects by the names that they go by", async () => {
    const skills = "employee,skill,level,years,is_primary\nann@example.test,ReactJS,Senior,3.5,no\n1,Roofing,,,yes\n";
    expect(await importAs("admin", { kind: "skills", csv: skills, dry_run: false })).toMatchObject({ inserted: 2 });
    const allocations = "employee,project,start_date,end_date,percentage\nann ash,barn,2026-12-01,2026-12-31,60\n";
    expect(await importAs("admin", { kind: "allocations", csv: allocations, dry_run: false })).toMatchObject({
      inserted: 1,
    });
    const { data } = await world.people.viewer
      .from("employees")
      .select(
        "employee_skills(skill_key, level, years, is_primary), employee_allocations(percentage, status, crm_projects(name))",
      )
      .eq("workspace_id", world.workspaceId)
      .eq("external_id", "1")
      .single();
    expect(data?.employee_skills).toHaveLength(2);
    expect(data?.employee_skills).toEqual(
      expect.arrayContaining([
        { skill_key: "react", level: "senior", years: 3.5, is_primary: false },
        { skill_key: "roofing", level: null, years: null, is_primary: true },
      ]),
    );
    expect(data?.employee_allocations).toEqual([{ percentage: 60, status: "firm", crm_projects: { name: "Barn" } }]);
  });

  test("say what nobody has heard of", async () => {
    const { errors } = await importAs("admin", { kind: "skills", csv: "employee,skill\nNobody,Juggling\n" });
    expect(errors.map(({ line, message }) => [line, message])).toEqual([
      [2, 'There is no person "Nobody".'],
      [2, 'There is no skill "Juggling".'],
    ]);
  });
});

describe("who and what is refused", () => {
  test("a member and a viewer are told the role that it takes, a stranger nothing", async () => {
    for (const role of ["member", "viewer"] as const)
      expect(await refusal(world.people[role], { csv: PEOPLE })).toEqual({
        status: 403,
        sentence: `This needs the role admin in the workspace; yours is ${role}.`,
      });
    const other = await newWorld();
    expect((await refusal(other.people.owner, { csv: PEOPLE })).status).toBe(404);
  });

  test("a file whose header is wrong is no secret way to learn of a workspace", async () => {
    const other = await newWorld();
    expect((await refusal(other.people.owner, { csv: "nonsense" })).status).toBe(404);
  });

  test("more than a mebibyte, no file, and another kind", async () => {
    const { admin } = world.people;
    expect((await refusal(admin, { csv: `name\n${"x".repeat(1024 * 1024)}` })).status).toBe(413);
    expect((await refusal(admin, { csv: "" })).status).toBe(422);
    expect((await refusal(admin, { csv: "name", kind: "deals" })).status).toBe(422);
  });

  test("100,001 lines, on the line that is too many", async () => {
    const { errors, written } = await importAs("admin", {
      kind: "skills",
      csv: `employee,skill\n${"a,b\n".repeat(100_001)}`,
      dry_run: false,
      mode: "skip",
    });
    expect([errors, written]).toEqual([
      [{ line: 100_002, column: null, message: "A file has at most 100,000 lines. Split this one." }],
      false,
    ]);
  });
});

test("people of another workspace are never found, and two imports at once write each person once", async () => {
  const other = await newWorld();
  const request = { kind: "employees", csv: PEOPLE.replace("Field", ""), dry_run: false };
  const both = await Promise.all(
    [1, 2].map(() => ask(other.people.owner, { workspace_id: other.workspaceId, ...request })),
  );
  for (const { error } of both) expect(error).toBeNull();
  const counts = both.map(({ data }) => data as ImportAnswer).map(({ inserted, unchanged }) => [inserted, unchanged]);
  expect(counts.sort()).toEqual([
    [0, 3],
    [3, 0],
  ]);
  const sql = openSql();
  const [row] = await sql`select count(*)::int as people from employees where workspace_id = ${other.workspaceId}`;
  await sql.end();
  expect(row?.people).toBe(3);
});
