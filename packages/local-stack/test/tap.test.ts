import path from "node:path";
import { expect, test } from "vitest";
import { runPgTap } from "../src/index.ts";
import { writeFiles } from "./support/project.ts";
import { useStack } from "./support/stack.ts";

const stack = useStack({});
const head = "begin; create extension if not exists pgtap with schema extensions;\n";

async function run(text: string) {
  await writeFiles(stack.projectRoot, { "one.sql": text });
  const [result] = await runPgTap(stack.dbUrl, [path.join(stack.projectRoot, "one.sql")]);
  return result;
}

test("a file that passes", async () => {
  const result = await run(
    `${head} select plan(2); select ok(true, 'yes'); select is(1, 1, 'one'); select * from finish(); rollback;`,
  );
  expect(result).toMatchObject({ ok: true, planned: 2, problems: [], tests: [{ name: "yes" }, { name: "one" }] });
});

test("a file includes others, named from where it is, as in psql", async () => {
  await writeFiles(stack.projectRoot, {
    "shared/people.psql": `${head} \n\\ir plan.psql\n`,
    "shared/plan.psql": "select plan(1);",
  });
  const result = await run("\\ir shared/people.psql\nselect ok(true, 'after'); select * from finish(); rollback;");
  expect(result).toMatchObject({ ok: true, planned: 1, tests: [{ name: "after" }] });
});

test("a failing test is named, with its diagnostics", async () => {
  const result = await run(`${head} select plan(1); select is(1, 2, 'equal'); select * from finish(); rollback;`);
  expect(result).toMatchObject({ ok: false, problems: ["not ok 1 - equal"] });
  expect(result?.tests[0]?.diagnostics.join("\n")).toMatch(/have: 1[\s\S]*want: 2/);
});

test("a plan that is not kept fails", async () => {
  const result = await run(`${head} select plan(3); select ok(true); select * from finish(); rollback;`);
  expect(result).toMatchObject({ ok: false, problems: ["planned 3 tests but ran 1"] });
});

test("an error in the script fails, and what ran before it is still reported", async () => {
  const result = await run(
    `${head} select plan(2);\nselect ok(true, 'before');\nselect no_such_function();\nrollback;`,
  );
  expect(result?.ok).toBe(false);
  expect(result?.problems[0]).toMatch(/^the script failed at line 4: function no_such_function\(\) does not exist/);
  expect(result?.tests).toMatchObject([{ name: "before", ok: true }]);
});

test("files run one after another, each on a connection of its own, as postgres", async () => {
  await writeFiles(stack.projectRoot, {
    "a.sql": `${head} select plan(1); select is(current_user::text, 'postgres'); create temporary table t (id int); select * from finish(); rollback;`,
    "b.sql": `${head} select plan(1); select hasnt_table('t'); select * from finish(); rollback;`,
  });
  const results = await runPgTap(
    stack.dbUrl,
    ["a.sql", "b.sql"].map((name) => path.join(stack.projectRoot, name)),
  );
  expect(results.map((result) => result.problems)).toEqual([[], []]);
});
