import path from "node:path";
import { type ProjectConfig, readProjectConfig } from "../config.ts";
import { messageOf } from "../errors.ts";
import { isFree } from "../ports.ts";
import { type EnvironmentOptions, functionEnvironment } from "./environment.ts";
import { type FunctionSource, findFunction } from "./source.ts";
import { type Changed, watchFunctions } from "./watch.ts";
import { startWorker, type Worker } from "./worker.ts";

export interface PoolOptions extends EnvironmentOptions {
  config: ProjectConfig;
  firstPort: number;
  logs: string;
  mark: string;
  log(line: string): void;
  /** Told of the processes that serve now, by function, whenever one starts or ends. */
  processes(pids: Record<string, number>): Promise<void>;
}

/** One state of a function's code: its worker, and how many requests are in it. */
interface Generation {
  name: string;
  worker: Promise<Worker>;
  started?: Worker;
  requests: number;
  retired: boolean;
}

export interface Lease {
  worker: Worker;
  release(): void;
}

const PORTS = 40;

/** The Deno processes of the functions. Each is started by its first request and replaced when its code changes. */
export class FunctionPool {
  readonly #options: PoolOptions;
  #config: ProjectConfig;
  readonly #current = new Map<string, Generation>();
  readonly #all = new Set<Generation>();
  readonly #watcher: { close(): void };
  #portsUsed = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#config = options.config;
    const root = path.join(options.projectRoot, "supabase", "functions");
    this.#watcher = watchFunctions(root, (changed) => void this.#onChange(changed), options.log);
  }

  find(name: string): FunctionSource | undefined {
    return findFunction(this.#options.projectRoot, this.#config, name);
  }

  /** A live worker for one request, started if need be. */
  async acquire(name: string, source: FunctionSource): Promise<Lease> {
    const generation = this.#generation(name, source);
    generation.requests++;
    const release = () => {
      generation.requests--;
      if (generation.retired && generation.requests === 0) void this.#end(generation);
    };
    try {
      return { worker: await generation.worker, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  pid(name: string): number | undefined {
    const worker = this.#current.get(name)?.started;
    return worker?.alive() ? worker.pid : undefined;
  }

  async stop(): Promise<void> {
    this.#watcher.close();
    await Promise.all([...this.#all].map((generation) => this.#end(generation)));
  }

  #generation(name: string, source: FunctionSource): Generation {
    const existing = this.#current.get(name);
    if (existing && existing.started?.alive() !== false) return existing;
    if (existing) this.#all.delete(existing);
    const launched = this.#launch(name, source);
    const generation: Generation = { name, worker: launched, requests: 0, retired: false };
    generation.worker = launched.then((worker) => this.#announce(generation, worker));
    this.#current.set(name, generation);
    this.#all.add(generation);
    generation.worker.catch(() => this.#forget(generation));
    return generation;
  }

  /** A request goes to a new process only after it has been told of: who kills it then, kills the right one. */
  async #announce(generation: Generation, worker: Worker): Promise<Worker> {
    generation.started = worker;
    void worker.ended.then(() => this.#tell());
    await this.#tell();
    return worker;
  }

  async #tell(): Promise<void> {
    const pids = [...this.#current.keys()].flatMap((name) => {
      const pid = this.pid(name);
      return pid === undefined ? [] : [[name, pid] as const];
    });
    await this.#options.processes(Object.fromEntries(pids)).catch((error: unknown) => {
      this.#options.log(`the function processes could not be noted: ${messageOf(error)}`);
    });
  }

  async #launch(name: string, source: FunctionSource): Promise<Worker> {
    const { logs, mark, projectRoot } = this.#options;
    const env = await functionEnvironment(this.#options);
    const logFile = path.join(logs, "functions", `${name}.log`);
    return startWorker({ name, source, projectRoot, port: await this.#freePort(), env, logFile, mark });
  }

  /** Ports go round, so that new code never waits for the port of the old. */
  async #freePort(): Promise<number> {
    for (let tries = 0; tries < PORTS; tries++) {
      const port = this.#options.firstPort + (this.#portsUsed++ % PORTS);
      if (await isFree(port)) return port;
    }
    throw new Error(`no port is free from ${this.#options.firstPort} on`);
  }

  /** Requests that are in the old code end there; new ones get the new code. */
  async #onChange(changed: Changed): Promise<void> {
    for (const generation of [...this.#current.values()]) {
      if (changed !== "everything" && !changed.has(generation.name)) continue;
      this.#current.delete(generation.name);
      generation.retired = true;
      if (generation.requests === 0) void this.#end(generation);
    }
    await this.#tell();
    try {
      this.#config = await readProjectConfig(this.#options.projectRoot);
    } catch (error) {
      this.#options.log(`${messageOf(error)} (going on with the settings as they were)`);
    }
  }

  async #end(generation: Generation): Promise<void> {
    // A worker that never started has nothing to stop; its error went to the request that asked for it.
    const worker = await generation.worker.catch(() => undefined);
    await worker?.stop();
    this.#forget(generation);
  }

  #forget(generation: Generation): void {
    this.#all.delete(generation);
    if (this.#current.get(generation.name) === generation) this.#current.delete(generation.name);
  }
}
