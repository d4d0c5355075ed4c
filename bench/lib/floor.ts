import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { PROJECT_ROOT } from "../../scripts/lib/workbench.ts";

const require = createRequire(import.meta.url);

export interface FloorJob {
  provider: "salesforce" | "hubspot";
  url: string;
  accessToken: string;
  fields: string[];
  dbUrl: string;
}

export interface FloorResult {
  rows: number;
  seconds: number;
  fetch_seconds: number;
}

/** Runs bench/floor.ts in Deno with the settings that the functions run with. */
export async function runFloor(job: FloorJob): Promise<FloorResult> {
  const { runInstall } = require("deno/install_api.cjs") as { runInstall(): string };
  const config = `--config=${join(PROJECT_ROOT, "bench", "deno.json")}`;
  const script = join(PROJECT_ROOT, "bench", "floor.ts");
  const args = ["run", "--quiet", "--no-lock", "--node-modules-dir=none", config, "-A", script, JSON.stringify(job)];
  const child = spawn(runInstall(), args, {
    env: { ...process.env, DENO_DIR: join(PROJECT_ROOT, "node_modules", ".cache", "deno") },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  if (code !== 0) throw new Error(`The floor of ${job.provider} failed (exit ${code}).`);
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as FloorResult;
}
