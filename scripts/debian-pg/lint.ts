import { join } from "node:path";
import { databaseUrl } from "@pipeline-crm/local-stack";
import type postgres from "postgres";
import { runCommand } from "../lib/command.ts";
import { PROJECT_ROOT } from "../lib/workbench.ts";
import type { Report } from "./report.ts";

const SCHEMAS = ["public", "private"];

/** `supabase db lint`, which runs plpgsql_check over the functions. */
export async function lintFunctions(report: Report, port: number, signal: AbortSignal): Promise<void> {
  const outcome = await runCommand({
    program: join(PROJECT_ROOT, "node_modules", ".bin", "supabase"),
    args: [
      "db",
      "lint",
      `--remote=${databaseUrl("postgres", port)}`,
      "--schema",
      SCHEMAS.join(","),
      "--level",
      "error",
      "--fail-on",
      "error",
    ],
    cwd: PROJECT_ROOT,
    env: { SUPABASE_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", NO_COLOR: "1", PGSSLMODE: "disable" },
    signal,
  });
  report.check(`supabase db lint: no error in ${SCHEMAS.join(" and ")}`, outcome.ok, outcome.stdout || outcome.output);
}

interface Checked {
  function_name: string;
  table_name: string;
  line: number | null;
  /** Empty when nothing was found. */
  message: string;
}

/** The CLI leaves trigger functions out, because they can only be checked together with their table. */
export async function lintTriggers(report: Report, sql: postgres.Sql): Promise<void> {
  const checked = await sql<Checked[]>`
    with pairs as (
      -- One function may serve several triggers of a table; together they name the transition tables it may read.
      select t.tgfoid, t.tgrelid, max(t.tgoldtable) as old_table, max(t.tgnewtable) as new_table
      from pg_trigger t
      join pg_proc p on p.oid = t.tgfoid
      join pg_language l on l.oid = p.prolang
      where not t.tgisinternal and l.lanname = 'plpgsql' and p.pronamespace::regnamespace::text = any (${SCHEMAS})
      group by t.tgfoid, t.tgrelid
    )
    select pairs.tgfoid::regproc::text as function_name, pairs.tgrelid::regclass::text as table_name,
           finding.lineno as line, concat_ws(' – ', finding.message, finding.detail, finding.hint) as message
    from pairs
    left join lateral extensions.plpgsql_check_function_tb(
      pairs.tgfoid, relid => pairs.tgrelid, oldtable => pairs.old_table, newtable => pairs.new_table,
      other_warnings => false, extra_warnings => false, performance_warnings => false
    ) finding on finding.level = 'error'
    order by 1, 2, 3`;
  const findings = checked.filter((each) => each.message !== "");
  const names = new Set(checked.map((each) => each.function_name));
  report.check(
    `plpgsql_check: no error in ${names.size} trigger functions`,
    names.size > 0 && findings.length === 0,
    findings
      .map((each) => `${each.function_name} on ${each.table_name}, line ${each.line ?? "?"}: ${each.message}`)
      .join("\n"),
  );
}
