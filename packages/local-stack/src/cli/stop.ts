import { readdir, rm, rmdir } from "node:fs/promises";
import path from "node:path";
import { StackError } from "../errors.ts";
import { prepareHome, shelterOf } from "../postgres/binaries.ts";
import { stopOrphan } from "../postgres/cluster.ts";
import { commandLine, endProcess } from "../processes.ts";
import { foldersOf } from "../settings.ts";
import { childrenOf, readState, removeState, type StackState } from "../state.ts";

const STOP_PATIENCE_MS = 30_000;

/** The state of a running stack; a state file without its process counts as not running. */
export async function runningStack(dataDir: string): Promise<StackState | undefined> {
  const state = await readState(foldersOf(dataDir).state);
  return state && (await commandLine(state.pid))?.includes("node") ? state : undefined;
}

/** Ends the stack and whatever a killed one left behind. Resolves to whether there was one. */
export async function stopStack(dataDir: string, say: (line: string) => void): Promise<boolean> {
  const running = await runningStack(dataDir);
  if (running && !(await endProcess(running.pid, ["SIGTERM"], STOP_PATIENCE_MS))) {
    throw new StackError("server_failed", `The stack (process ${running.pid}) does not stop.`);
  }
  const { state } = foldersOf(dataDir);
  const left = await readState(state);
  for (const pid of left ? childrenOf(left) : []) {
    if ((await commandLine(pid))?.includes(dataDir)) await endProcess(pid, ["SIGINT", "SIGKILL"], 10_000);
  }
  await stopOrphan((await prepareHome(dataDir)).pgData, say);
  await removeState(state);
  return running !== undefined;
}

const OURS = ["postgres", "postgres.unfinished", "server", "logs", "stack.json"];

/** Throws the data away: the next start makes everything anew. Removes only what a stack makes. */
export async function resetStack(dataDir: string, say: (line: string) => void): Promise<void> {
  await stopStack(dataDir, say);
  for (const name of OURS) await rm(path.join(dataDir, name), { recursive: true, force: true });
  await rm(shelterOf(dataDir), { recursive: true, force: true });
  const left = await readdir(dataDir);
  if (left.length === 0) await rmdir(dataDir);
}
