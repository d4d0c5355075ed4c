import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import path from "node:path";
import { StackError } from "../errors.ts";
import { endProcess } from "../processes.ts";
import { TSX } from "../tsx.ts";
import type { FromRest, RestSettings, ToRest } from "./protocol.ts";

const ENTRY = path.resolve(import.meta.dirname, "server.ts");
const START_PATIENCE_MS = 30_000;

export interface RestProcess {
  pid: number;
  reload(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRest(settings: RestSettings, logFile: string, mark: string): Promise<RestProcess> {
  const log = openSync(logFile, "a");
  const child = fork(ENTRY, [mark], {
    execArgv: ["--import", TSX, "--no-warnings"],
    stdio: ["ignore", log, log, "ipc"],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: "production", TZ: "UTC" },
  });
  closeSync(log);
  send(child, { kind: "configure", settings });
  await answer(child, (message) => message.kind === "ready", logFile);
  child.unref();
  child.channel?.unref();
  let reloads = 0;
  return {
    pid: child.pid as number,
    reload: async () => {
      const id = ++reloads;
      const reloaded = answer(child, (message) => message.kind === "reloaded" && message.id === id, logFile);
      send(child, { kind: "reload", id });
      await reloaded;
    },
    stop: async () => {
      await endProcess(child.pid as number, ["SIGTERM", "SIGKILL"], 3_000);
    },
  };
}

function send(child: ChildProcess, message: ToRest): void {
  child.send(message);
}

function answer(child: ChildProcess, wanted: (message: FromRest) => boolean, logFile: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: StackError) => {
      clearTimeout(timer);
      child.off("message", onMessage);
      child.off("exit", onExit);
      if (error) reject(error);
      else resolve();
    };
    const onMessage = (message: FromRest) => {
      if (message.kind === "failed")
        finish(new StackError("rest_failed", `The REST server did not start: ${message.message}.`));
      else if (wanted(message)) finish();
    };
    const onExit = () => finish(new StackError("rest_failed", `The REST server ended unexpectedly (see ${logFile}).`));
    const timer = setTimeout(
      () => finish(new StackError("rest_failed", `The REST server did not answer in time (see ${logFile}).`)),
      START_PATIENCE_MS,
    );
    child.on("message", onMessage);
    child.on("exit", onExit);
  });
}
