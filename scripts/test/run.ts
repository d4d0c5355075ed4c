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

function steps(): Step[] {
  return [
    { name: "types", command: bin("tsc"), args: ["--noEmit"] },
    ...functionEntries().map((folder) => ({
      name: `types of ${folder}`,
      command: bin("deno"),
      args: ["check", "--quiet", "--config", join(folder, "deno.json"), join(folder, "index.ts")],
    })),
    { name: "lint", command: bin("biome"), args: ["check", "--error-on-warnings", "."] },
    {
      name: "tests",
      command: bin("vitest"),
      args: ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${REPORT}`],
    },
  ];
}

function run({ command, args }: Step): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: PROJECT_ROOT, stdio: ["ignore", "inherit", "inherit"] });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code === 0));
  });
}

/** The closing line says how many tests ran; steps before them count as failed when they fail. */
async function closingLine(failedSteps: number): Promise<string> {
  const report = JSON.parse(await readFile(REPORT, "utf8")) as { numPassedTests: number; numFailedTests: number };
  await rm(REPORT);
  return `${report.numPassedTests} passed, ${report.numFailedTests + failedSteps} failed`;
}

const failed: string[] = [];
for (const step of steps()) {
  process.stdout.write(`${pc.cyan("▸")} ${step.name}\n`);
  if (!(await run(step))) failed.push(step.name);
}
if (failed.length > 0) process.stdout.write(`${pc.red("✗")} failed: ${failed.join(", ")}\n`);
process.stdout.write(`${await closingLine(failed.filter((name) => name !== "tests").length)}\n`);
process.exit(failed.length > 0 ? 1 : 0);
