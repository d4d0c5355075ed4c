import { readFile, rename, rm, writeFile } from "node:fs/promises";
import type { Ports } from "./settings.ts";

/** What a running stack leaves in `<dataDir>/stack.json` for the next command. */
export interface StackState {
  phase: "starting" | "ready";
  pid: number;
  startedAt: string;
  projectRoot: string;
  portBase: number;
  ports: Ports;
  apiUrl: string;
  dbUrl: string;
  publishableKey: string;
  secretKey: string;
  children: number[];
  /** The process that runs each function now; a function that nobody has called, or that ended, is not in it. */
  functions: Record<string, number>;
}

export async function readState(file: string): Promise<StackState | undefined> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const state = JSON.parse(text) as StackState;
    return { ...state, functions: state.functions ?? {} };
  } catch {
    // A start that was killed while it wrote: nothing in it can be trusted.
    return undefined;
  }
}

/** The file of the stack that runs in this process. Each change is written whole, one after another. */
export class StateFile {
  readonly #file: string;
  #state: StackState;
  #writing: Promise<void> = Promise.resolve();
  #removed = false;

  constructor(file: string, state: StackState) {
    this.#file = file;
    this.#state = state;
  }

  /** Resolves when the change can be read. */
  update(change: Partial<StackState> = {}): Promise<void> {
    this.#state = { ...this.#state, ...change };
    const write = this.#writing.then(() => this.#write());
    this.#writing = write.catch(() => {});
    return write;
  }

  async remove(): Promise<void> {
    this.#removed = true;
    await this.#writing;
    await removeState(this.#file);
  }

  async #write(): Promise<void> {
    if (this.#removed) return;
    const temporary = `${this.#file}.${process.pid}.tmp`;
    await writeFile(temporary, `${JSON.stringify(this.#state, null, 2)}\n`, { mode: 0o600 });
    await rename(temporary, this.#file);
  }
}

/** What may outlive a stack that was killed. */
export function childrenOf(state: StackState): number[] {
  return [...state.children, ...Object.values(state.functions)];
}

export async function removeState(file: string): Promise<void> {
  await rm(file, { force: true });
}
