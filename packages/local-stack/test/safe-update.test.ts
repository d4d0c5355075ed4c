import { describe, expect, test } from "vitest";
import { isStatementReport, refuseWithoutWhere, reportedStatement } from "../src/rest/safe-update.ts";

const refuse = (text: string) => refuseWithoutWhere([{ text }], async () => []);

describe("the statements that safe update refuses", () => {
  test.each([
    ["delete from t", "DELETE"],
    ["update t set a = 1", "UPDATE"],
    ["with d as (delete from t returning 1) select * from d", "DELETE"],
    ["select 1; update public.t set a = 'where'", "UPDATE"],
    ["delete from t using u", "DELETE"],
  ])("%s", async (text, verb) => {
    await expect(refuse(text)).rejects.toMatchObject({
      code: "21000",
      message: `${verb} requires a WHERE clause`,
    });
  });

  test.each([
    "delete from t where true",
    "update t set a = 1 where id = $1",
    "insert into t values (1) on conflict (id) do update set a = 1",
    "select * from t for update",
    "select 'delete from t'",
  ])("but not: %s", async (text) => {
    await expect(refuse(text)).resolves.toBeUndefined();
  });

  test("only the server's own report counts as a statement, not a message that looks like one", () => {
    const report = 'duration: 0.01 ms  plan:\n{"Query Text": "delete from t", "Plan": {"Operation": "Delete"}}';
    expect(isStatementReport({ severity: "INFO", message: report })).toBe(true);
    expect(isStatementReport({ severity: "NOTICE", message: report })).toBe(false);
    expect(reportedStatement({ severity: "INFO", message: report })).toEqual({ text: "delete from t" });
  });

  test("a function in SQL-standard form is reported by name, and its definition is looked at", async () => {
    const message = 'duration: 0.01 ms  plan:\n{"Query Text": "", "Plan": {"Operation": "Delete"}}';
    const report = reportedStatement({ severity: "INFO", message, where: 'SQL function "wipe" statement 2' });
    expect(report).toEqual({ functionName: "wipe" });
    const body = (statement: string) => async (name: string) => [
      `create function public.${name}() returns void language sql begin atomic select 1; ${statement}; end`,
    ];
    const statements = report ? [report] : [];
    await expect(refuseWithoutWhere(statements, body("delete from t"))).rejects.toThrow(
      "DELETE requires a WHERE clause",
    );
    await expect(refuseWithoutWhere(statements, body("delete from t where true"))).resolves.toBeUndefined();
  });
});
