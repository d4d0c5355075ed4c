import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface Command {
  program: string;
  args: readonly string[];
  cwd?: string;
  /** Added to the environment of this process. */
  env?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
  /** Told each line of stdout and stderr as it comes. */
  onLine?: (line: string) => void;
  /** In a process group of its own: a Ctrl-C at the terminal does not reach it. */
  detached?: boolean;
}

export interface Outcome {
  ok: boolean;
  stdout: string;
  /** Both streams, in the order in which the lines came. */
  output: string;
}

/** Runs a program to its end; a failing exit code is an outcome, a program that cannot be started is an error. */
export function runCommand({ program, args, cwd, env, signal, onLine, detached }: Command): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      signal,
      detached,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const all: string[] = [];
    const printed: string[] = [];
    const take = (stream: NodeJS.ReadableStream, ...into: string[][]) =>
      createInterface({ input: stream }).on("line", (line) => {
        for (const lines of into) lines.push(line);
        onLine?.(line);
      });
    take(child.stdout, all, printed);
    take(child.stderr, all);
    child.once("error", reject);
    child.once("close", (code) => resolve({ ok: code === 0, stdout: printed.join("\n"), output: all.join("\n") }));
  });
}
