import { type ChildProcess, fork } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import path from "node:path";
import { StackError } from "../errors.ts";
import { foldersOf } from "../settings.ts";
import type { StackOptions } from "../stack.ts";
import { TSX } from "../tsx.ts";
import type { FromBackground } from "./background.ts";

const ENTRY = path.resolve(import.meta.dirname, "background.ts");

/** Starts the stack in a process of its own and returns when it is ready. */
export async function startInBackground(options: StackOptions, say: (line: string) => void): Promise<void> {
  const { logs } = foldersOf(options.dataDir);
  mkdirSync(logs, { recursive: true });
  const logFile = path.join(logs, "stack.log");
  const log = openSync(logFile, "a");
  const child = fork(ENTRY, [`--stack=${options.dataDir}`], {
    execArgv: ["--import", TSX, "--no-warnings"],
    stdio: ["ignore", log, log, "ipc"],
    detached: true,
  });
  closeSync(log);
  child.send({ ...options, log: undefined });
  await ready(child, say, logFile);
  child.unref();
}

function ready(child: ChildProcess, say: (line: string) => void, logFile: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on("message", (message: FromBackground) => {
      if (message.kind === "log") say(message.line);
      else if (message.kind === "ready") resolve();
      else reject(new StackError("server_failed", message.message));
    });
    child.once("exit", () =>
      reject(new StackError("server_failed", `The stack ended while it started (see ${logFile}).`)),
    );
  });
}
