import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pc from "picocolors";
import { PROJECT_ROOT } from "../lib/workbench.ts";

interface Step {
  name: string;
  command: string;
  args: string[];
}

const bin = (name: string) => join(PROJECT_ROOT, "node_modules", ".bin", name);
const REPORT = join(tmpdir(), `pipeline-crm-vitest-${process.pid}.json`);

function functionEntries(): string[] {
  const folder = join("supabase", "functions");
  return readdirSync(join(PROJECT_ROOT, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("_"))
    .map((entry) => join(folder, entry.name));
}

/** What looks at the code without running it: two rows, side by side, since each step keeps one core busy. */
function checks(): Step[][] {
  const functions = functionEntries().map((folder) => ({
    name: `types of ${folder}`,
    command: bin("deno"),
    args: ["check", "--quiet", "--config", join(folder, "deno.json"), join(folder, "index.ts")],
  }));
  const types = { name: "types", command: bin("tsc"), args: ["--noEmit"] };
  const lint = { name: "lint", command: bin("biome"), args: ["check", "--error-on-warnings", "."] };
  return [[types, lint], functions];
}

const TESTS: Step = {
  name: "tests",
  command: bin("vitest"),
  args: ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${REPORT}`],
};

const announce = ({ name }: Step) => process.stdout.write(`${pc.cyan("▸")} ${name}\n`);

function run({ command, args }: Step, output: "shown" | Buffer[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const stdio = output === "shown" ? "inherit" : "pipe";
    const child = spawn(command, args, { cwd: PROJECT_ROOT, stdio: ["ignore", stdio, stdio] });
    if (output !== "shown")
      for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => output.push(chunk));
    child.once("error", reject);
    child.once("close", (code) => resolve(code === 0));
  });
}

/** The names of those that failed. What a check has to say comes in one piece when it is done. */
async function runChecks(row: Step[]): Promise<string[]> {
  const failed: string[] = [];
  for (const step of row) {
    const output: Buffer[] = [];
    if (!(await run(step, output))) failed.push(step.name);
    announce(step);
    process.stdout.write(Buffer.concat(output));
  }
  return failed;
}

/** The closing line says how many tests ran; steps before them count as failed when they fail. */
async function closingLine(failedSteps: number): Promise<string> {
  const report = JSON.parse(await readFile(REPORT, "utf8")) as { numPassedTests: number; numFailedTests: number };
  await rm(REPORT);
  return `${report.numPassedTests} passed, ${report.numFailedTests + failedSteps} failed`;
}

const failed = (await Promise.all(checks().map(runChecks))).flat();
const failedChecks = failed.length;
announce(TESTS);
if (!(await run(TESTS, "shown"))) failed.push(TESTS.name);
if (failed.length > 0) process.stdout.write(`${pc.red("✗")} failed: ${failed.join(", ")}\n`);
process.stdout.write(`${await closingLine(failedChecks)}\n`);
process.exit(failed.length > 0 ? 1 : 0);
