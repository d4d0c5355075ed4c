import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { endProcess } from "../processes.ts";
import { denoProgram } from "./deno.ts";
import type { FunctionSource } from "./source.ts";

const MAIN = path.resolve(import.meta.dirname, "deno/main.ts");
const READY_MARK = "\u0001ready";
const BOOT_PATIENCE_MS = 60_000;

export interface WorkerOptions {
  name: string;
  source: FunctionSource;
  projectRoot: string;
  port: number;
  env: Record<string, string>;
  logFile: string;
  mark: string;
}

/** One Deno process that runs one function. */
export interface Worker {
  pid: number;
  port: number;
  alive(): boolean;
  /** Resolves when the process has ended. */
  ended: Promise<void>;
  stop(): Promise<void>;
}

export class BootError extends Error {}

/** Read access: the functions, their dependencies, the runner, what the system needs for TLS and names, and /tmp. */
function readable({ projectRoot, env }: WorkerOptions): string {
  const certificates = [env.SSL_CERT_FILE, env.SSL_CERT_DIR, env.NODE_EXTRA_CA_CERTS, env.DENO_CERT];
  const folders = [
    path.join(projectRoot, "supabase", "functions"),
    env.DENO_DIR,
    path.dirname(MAIN),
    "/tmp",
    "/etc/ssl",
  ];
  return [...folders, "/etc/resolv.conf", "/etc/hosts", ...certificates].filter(Boolean).join(",");
}

function denoArguments(options: WorkerOptions): string[] {
  const { source, port, mark } = options;
  return [
    "run",
    source.denoConfig ? `--config=${source.denoConfig}` : "--no-config",
    "--node-modules-dir=none",
    "--no-lock",
    "--no-prompt",
    "--unstable-no-legacy-abort",
    "--quiet",
    // As hosted: 256 MB, no programs, no libraries, and a file system that can be written only in /tmp.
    "--v8-flags=--max-old-space-size=256",
    "--allow-net",
    "--allow-env",
    "--allow-sys",
    "--allow-import",
    `--allow-read=${readable(options)}`,
    "--allow-write=/tmp",
    MAIN,
    pathToFileURL(source.entry).href,
    String(port),
    mark,
  ];
}

/** Starts the process and waits until the function listens. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  await mkdir(path.dirname(options.logFile), { recursive: true });
  const child = spawn(denoProgram(), denoArguments(options), {
    cwd: options.source.folder,
    env: options.env,
    // A group of its own: Ctrl-C is for us, we end the workers. Its stdin closes with us, and it ends then.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let alive = true;
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => {
      alive = false;
      resolve();
    });
  });
  await booted(child, options);
  child.unref();
  const pid = child.pid as number;
  return {
    pid,
    port: options.port,
    alive: () => alive,
    ended,
    stop: async () => {
      await endProcess(pid, ["SIGTERM", "SIGKILL"], 2_000);
    },
  };
}

function booted(child: ChildProcess, options: WorkerOptions): Promise<void> {
  const log = createWriteStream(options.logFile, { flags: "a" });
  const lastLines: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      clearTimeout(timer);
      reject(new BootError(`Function "${options.name}" did not start: ${reason}\n${lastLines.join("\n")}`.trim()));
    };
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail("it did not call Deno.serve or export a fetch handler in time.");
    }, BOOT_PATIENCE_MS);
    const onLine = (line: string) => {
      if (line === READY_MARK) {
        clearTimeout(timer);
        resolve();
        return;
      }
      log.write(`${new Date().toISOString()} ${line}\n`);
      lastLines.push(line);
      if (lastLines.length > 20) lastLines.shift();
    };
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", onLine);
    }
    child.once("error", (error) => fail(error.message));
    child.once("close", (code, signal) => {
      log.end(`${new Date().toISOString()} (worker ended: ${signal ?? `exit ${code}`})\n`);
      fail(`the process ended with ${signal ?? `exit code ${code}`}.`);
    });
  });
}
