import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { StackError } from "../errors.ts";
import { foldersOf } from "../settings.ts";

const TAIL_BYTES = 64 * 1024;
const FOLLOW_EVERY_MS = 250;

/** Prints the end of a log: `stack`, `postgres`, `rest` or a function's name; with no name, lists them. */
export async function showLogs(
  dataDir: string,
  name: string | undefined,
  follow: boolean,
  out: NodeJS.WritableStream,
): Promise<void> {
  const files = await logFiles(dataDir);
  if (name === undefined) {
    out.write(`${[...files.keys()].join("\n")}\n`);
    return;
  }
  const file = files.get(name);
  if (!file) throw new StackError("bad_setting", noLog(name, [...files.keys()]));
  const { size } = await stat(file);
  let at = await copy(file, Math.max(0, size - TAIL_BYTES), out);
  while (follow) {
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_EVERY_MS));
    at = await copy(file, at, out);
  }
}

function noLog(name: string, known: readonly string[]): string {
  if (known.length === 0) return "There are no logs yet: the stack has never run with this data folder.";
  return `There is no log called "${name}"; there are: ${known.join(", ")}.`;
}

async function logFiles(dataDir: string): Promise<Map<string, string>> {
  const { logs } = foldersOf(dataDir);
  const found = new Map<string, string>();
  for (const folder of [logs, path.join(logs, "functions")]) {
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    for (const name of names.filter((each) => each.endsWith(".log")))
      found.set(name.slice(0, -4), path.join(folder, name));
  }
  return found;
}

function copy(file: string, from: number, out: NodeJS.WritableStream): Promise<number> {
  return new Promise((resolve, reject) => {
    let at = from;
    createReadStream(file, { start: from })
      .on("data", (chunk) => {
        at += chunk.length;
        out.write(chunk);
      })
      .on("error", reject)
      .on("end", () => resolve(at));
  });
}
