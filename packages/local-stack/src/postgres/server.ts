import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { StackError } from "../errors.ts";
import { endProcess, until } from "../processes.ts";
import type { ServerHome } from "./binaries.ts";
import { corrupt } from "./cluster.ts";

const START_PATIENCE_MS = 60_000;
const STOP_PATIENCE_MS = 15_000;

export interface Server {
  pid: number;
  stop(): Promise<void>;
}

/** Starts the server in a process group of its own, so that Ctrl-C reaches us first and we stop things in order. */
export async function startServer(home: ServerHome, port: number, logFile: string): Promise<Server> {
  const log = openSync(logFile, "a");
  const logStart = (await readFile(logFile)).length;
  const child = spawn(path.join(home.native, "bin", "postgres"), ["-D", home.pgData, "-c", `port=${port}`], {
    ...home.identity,
    cwd: path.dirname(home.pgData),
    detached: true,
    stdio: ["ignore", log, log],
    env: { TZ: "UTC" },
  });
  closeSync(log);
  let ended: number | null | undefined;
  child.once("exit", (code) => {
    ended = code ?? -1;
  });
  await once(child, "spawn");
  const pid = child.pid as number;
  child.unref();
  await until(async () => ended !== undefined || (await isReady(home.pgData, pid)), START_PATIENCE_MS);
  if (ended !== undefined || !(await isReady(home.pgData, pid))) {
    if (ended === undefined) await endProcess(pid, ["SIGQUIT", "SIGKILL"], 5_000);
    throw startFailure(home.pgData, (await readFile(logFile)).subarray(logStart).toString("utf8"), logFile);
  }
  return { pid, stop: () => stopServer(pid) };
}

/** Line eight of postmaster.pid is what pg_ctl waits for. */
async function isReady(pgData: string, pid: number): Promise<boolean> {
  const lines = (await readFile(path.join(pgData, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
  return lines[0] === String(pid) && lines[7]?.trim() === "ready";
}

async function stopServer(pid: number): Promise<void> {
  // SIGINT is "fast": open transactions are rolled back, the checkpoint is written.
  if (!(await endProcess(pid, ["SIGINT", "SIGQUIT", "SIGKILL"], STOP_PATIENCE_MS))) {
    throw new StackError("server_failed", `The database server (process ${pid}) does not stop.`);
  }
}

function startFailure(pgData: string, output: string, logFile: string): StackError {
  const lines = output.split("\n").filter((line) => /(FATAL|PANIC|ERROR):/.test(line));
  const reason = lines.at(-1)?.replace(/^.*?(FATAL|PANIC|ERROR):\s*/, "") ?? "it said nothing";
  if (/could not bind|Address already in use/.test(output)) {
    return new StackError("port_taken", `PostgreSQL could not take its port: ${reason}.`);
  }
  if (
    /PANIC|invalid|does not exist|could not (locate|read|open|find)|incompatible|database files|contains errors|corrupt/i.test(
      lines.join("\n"),
    )
  ) {
    return corrupt(pgData, reason);
  }
  return new StackError("server_failed", `PostgreSQL did not start: ${reason} (see ${logFile}).`);
}
