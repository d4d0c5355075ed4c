import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { LOCAL_KEYS } from "@pipeline-crm/local-stack";
import { runCommand } from "../lib/command.ts";
import { PROJECT_ROOT } from "../lib/workbench.ts";
import type { Report } from "./report.ts";
import { TapCount } from "./tap-count.ts";

const TESTS = join(PROJECT_ROOT, "supabase", "tests");

/** The whole pgTAP suite as role postgres, one connection a file. */
export async function runPgProve(report: Report, port: number, signal: AbortSignal): Promise<void> {
  const tap = new TapCount((line) => report.say(line));
  const files = (await readdir(TESTS, { recursive: true })).filter((name) => name.endsWith(".test.sql")).sort();
  const outcome = await runCommand({
    program: "pg_prove",
    args: ["--verbose", "--ext", ".sql", ...files],
    cwd: TESTS,
    env: {
      PGHOST: "127.0.0.1",
      PGPORT: String(port),
      PGUSER: "postgres",
      PGPASSWORD: LOCAL_KEYS.databasePassword,
      PGDATABASE: "postgres",
      PGOPTIONS: "-c client_min_messages=warning",
    },
    signal,
    onLine: (line) => tap.take(line),
  });
  report.count(tap.passed, tap.failed);
  // A file that breaks off has no failing assertion to its name, only pg_prove's verdict.
  if (tap.failed === 0)
    report.check("pg_prove: every file did what it planned", outcome.ok && tap.passed > 0, "see above");
}
