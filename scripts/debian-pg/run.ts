import { readFile } from "node:fs/promises";
import { applyMigrations, bootstrapDatabase, databaseUrl, messageOf, Shutdown } from "@pipeline-crm/local-stack";
import pc from "picocolors";
import postgres from "postgres";
import { PROJECT_ROOT } from "../lib/workbench.ts";
import { checkProbe, checkProjectJobs, checkSchedule, makeDueConnection, scheduleProbe } from "./cron.ts";
import { createExtensions } from "./extensions.ts";
import { lintFunctions, lintTriggers } from "./lint.ts";
import { installPackages } from "./packages.ts";
import { runPgProve } from "./pgtap.ts";
import { Report } from "./report.ts";
import { startDebianServer } from "./server.ts";
import { makeWorkspace, removeWorkspace, type Workspace } from "./workspace.ts";

interface Lane {
  report: Report;
  workspace: Workspace;
  shutdown: Shutdown;
  signal: AbortSignal;
}

/** A server like a fresh hosted project, with the migrations applied. Returns its port. */
async function makeDatabase({ report, workspace, shutdown, signal }: Lane): Promise<number> {
  report.step("Starting Debian's PostgreSQL");
  const { port, stop } = await startDebianServer(workspace);
  shutdown.add(stop);
  await bootstrapDatabase(port);
  const versions = await createExtensions(port);
  report.say(`${versions.join(", ")} on port ${port}`);
  signal.throwIfAborted();
  report.step("Applying the migrations");
  const applied = await applyMigrations(PROJECT_ROOT, port);
  signal.throwIfAborted();
  report.check(`${applied.length} migrations applied`, applied.length > 0);
  return port;
}

async function runChecks({ report, shutdown, signal }: Lane, port: number): Promise<void> {
  const sql = postgres(databaseUrl("postgres", port), { max: 1, onnotice: () => {} });
  shutdown.add(() => sql.end({ timeout: 1 }));
  // First, so that the wait for the next minute goes on beside the tests.
  await scheduleProbe(sql);
  report.step("pgTAP with pg_prove");
  await runPgProve(report, port, signal);
  const due = await makeDueConnection(sql);
  report.step("Linting the functions with plpgsql_check");
  await lintFunctions(report, port, signal);
  await lintTriggers(report, sql);
  report.step("Watching pg_cron");
  await checkProjectJobs(report, sql);
  await checkProbe(report, sql, signal);
  await checkSchedule(report, sql, due, signal);
}

/** The server's log goes with the workspace, so its end is shown when something broke. */
async function showServerLog({ log }: Workspace): Promise<void> {
  const text = await readFile(log, "utf8").catch(() => "");
  const lines = text
    .trimEnd()
    .split("\n")
    .slice(-20)
    .filter((line) => line !== "");
  if (lines.length > 0)
    process.stderr.write(`The end of the server's log:\n${lines.map((line) => `  ${line}\n`).join("")}`);
}

async function main(signal: AbortSignal): Promise<Report> {
  const report = new Report();
  const shutdown = new Shutdown();
  report.step("Looking for the Debian packages");
  await installPackages((line) => report.say(line));
  signal.throwIfAborted();
  const workspace = await makeWorkspace((line) => report.say(line));
  shutdown.add(() => removeWorkspace(workspace));
  const lane = { report, workspace, shutdown, signal };
  try {
    await runChecks(lane, await makeDatabase(lane));
  } catch (error) {
    if (signal.aborted) throw error;
    report.check("the lane ran to its end", false, messageOf(error));
    await showServerLog(workspace);
  } finally {
    await shutdown.run();
  }
  return report;
}

const interrupt = new AbortController();
// A terminal's Ctrl-C reaches this process twice, directly and through its parent: only the first counts.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupt.abort());
// Nobody reads on, as after `| head`: stop and tidy up instead of dying of the closed pipe.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => interrupt.abort());
try {
  const report = await main(interrupt.signal);
  process.stdout.write(`${report.closingLine()}\n`);
  process.exitCode = report.failed === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(
    `${pc.red("✗")} ${interrupt.signal.aborted ? "Interrupted: nothing is left running." : messageOf(error)}\n`,
  );
  process.exitCode = 1;
}
