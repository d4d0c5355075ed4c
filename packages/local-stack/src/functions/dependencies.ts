import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { ProjectConfig } from "../config.ts";
import { messageOf } from "../errors.ts";
import { denoProgram } from "./deno.ts";
import { functionEnvironment } from "./environment.ts";
import { type FunctionSource, findFunction } from "./source.ts";

const run = promisify(execFile);

export interface DependencyOptions {
  projectRoot: string;
  config: ProjectConfig;
  apiUrl: string;
  dbPort: number;
  log(line: string): void;
}

/**
 * Fetches what the functions import before anybody calls one: on a fresh machine the first call would otherwise wait for
 * downloads, longer than pg_net waits for an answer. Done once for each version of a function's configuration.
 */
export async function fetchDependencies(options: DependencyOptions): Promise<void> {
  const folder = path.join(options.projectRoot, "supabase", "functions");
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const env = await functionEnvironment({ ...options, extra: {} });
  for (const name of names) {
    const source = findFunction(options.projectRoot, options.config, name);
    if (source?.denoConfig) await fetchFor(name, source, source.denoConfig, env, options.log);
  }
}

async function fetchFor(
  name: string,
  source: FunctionSource,
  denoConfig: string,
  env: Record<string, string>,
  log: (line: string) => void,
): Promise<void> {
  const marks = path.join(env.DENO_DIR ?? source.folder, "fetched");
  const fingerprint = createHash("sha256")
    .update(denoConfig)
    .update(await readFile(denoConfig))
    .digest("hex");
  const mark = path.join(marks, fingerprint);
  const known = await access(mark).then(
    () => true,
    () => false,
  );
  if (known) return;
  try {
    const args = ["cache", `--config=${denoConfig}`, "--node-modules-dir=none", "--no-lock", "--quiet", source.entry];
    await run(denoProgram(), args, { env, cwd: source.folder });
    await mkdir(marks, { recursive: true });
    await writeFile(mark, "");
    log(`fetched the dependencies of function ${name}`);
  } catch (error) {
    // Not fatal: everything else works, and the function's own log will say the same when it is called.
    log(`could not fetch the dependencies of function ${name}: ${messageOf(error).split("\n").slice(0, 3).join(" ")}`);
  }
}
