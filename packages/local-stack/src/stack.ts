import { mkdir } from "node:fs/promises";
import path from "node:path";
import { type ProjectConfig, readProjectConfig } from "./config.ts";
import { startDatabase } from "./database.ts";
import { messageOf, StackError } from "./errors.ts";
import { fetchDependencies } from "./functions/dependencies.ts";
import { FunctionPool } from "./functions/pool.ts";
import { startGateway } from "./gateway/gateway.ts";
import { clearEarlierRun } from "./leftovers.ts";
import { applyMigrations } from "./migrations.ts";
import type { Server } from "./postgres/server.ts";
import { attachRealtime } from "./realtime/index.ts";
import { startRest } from "./rest/process.ts";
import { databaseUrl, type Folders, foldersOf, LOCAL_KEYS, type Ports, portsFrom } from "./settings.ts";
import { Shutdown } from "./shutdown.ts";
import { type StackState, StateFile } from "./state.ts";
import { startWorkers } from "./worker/worker.ts";

export interface StackOptions {
  projectRoot: string;
  dataDir: string;
  portBase: number;
  /** Added to the environment of every function. */
  functionsEnv?: Record<string, string>;
  log?: (line: string) => void;
  /** Apply pending migrations with the official CLI; true unless said otherwise. */
  migrate?: boolean;
}

export interface Stack {
  apiUrl: string;
  /** Role postgres, as migrations and functions use it. */
  dbUrl: string;
  /** Role supabase_admin, a superuser: for tests of the stack only. */
  adminDbUrl: string;
  publishableKey: string;
  secretKey: string;
  jwtSecret: string;
  functionsUrl: string;
  stop(): Promise<void>;
  /** Waits until the REST server knows the schema as it is now. It notices DDL by itself, a moment later. */
  refreshSchemaCache(): Promise<void>;
  functionPid(name: string): number | undefined;
}

/** What the parts need to know while they start. */
interface Start extends StackOptions {
  ports: Ports;
  apiUrl: string;
  /** An argument that every child process carries, so that a later run knows it as ours. */
  mark: string;
  folders: Folders;
  log: (line: string) => void;
  shutdown: Shutdown;
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const log = options.log ?? (() => {});
  const ports = portsFrom(options.portBase);
  const folders = foldersOf(options.dataDir);
  await makeFolder(folders.logs);
  await clearEarlierRun(folders, log);
  const shutdown = new Shutdown();
  try {
    return await startParts({
      ...options,
      projectRoot: path.resolve(options.projectRoot),
      ports,
      apiUrl: `http://127.0.0.1:${ports.api}`,
      mark: `--stack=${folders.dataDir}`,
      folders,
      log,
      shutdown,
    });
  } catch (error) {
    await shutdown.run();
    throw error;
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new StackError(
      "bad_setting",
      `The data folder cannot be made: ${messageOf(error)}. Choose another one with PIPELINE_DATA_DIR.`,
      { cause: error },
    );
  }
}

async function startParts(start: Start): Promise<Stack> {
  const { ports, folders, log, shutdown, projectRoot, apiUrl, mark } = start;
  const config = await readProjectConfig(projectRoot);
  const state = new StateFile(folders.state, firstState(start));
  shutdown.add(() => state.remove());
  await state.update();
  const started = async (server: Server) => {
    shutdown.add(server.stop);
    await state.update({ children: [server.pid] });
  };
  const server = await startDatabase({ ports, folders, log, started });
  if (start.migrate !== false) {
    const applied = await applyMigrations(projectRoot, ports.db);
    if (applied.length > 0) log(`applied ${applied.length} ${applied.length === 1 ? "migration" : "migrations"}`);
  }
  const restSettings = { port: ports.rest, dbPort: ports.db, dbPid: server.pid, apiUrl, config };
  const rest = await startRest(restSettings, path.join(folders.logs, "rest.log"), mark);
  shutdown.add(rest.stop);
  await fetchDependencies({ projectRoot, config, apiUrl, dbPort: ports.db, log });
  const functions = await startFrontDoor(start, config, state);
  await state.update({ phase: "ready", children: [server.pid, rest.pid] });
  return {
    apiUrl,
    dbUrl: databaseUrl("postgres", ports.db),
    adminDbUrl: databaseUrl("supabase_admin", ports.db),
    publishableKey: LOCAL_KEYS.publishableKey,
    secretKey: LOCAL_KEYS.secretKey,
    jwtSecret: LOCAL_KEYS.jwtSecret,
    functionsUrl: `${apiUrl}/functions/v1`,
    stop: () => shutdown.run(),
    refreshSchemaCache: rest.reload,
    functionPid: (name) => functions.pid(name),
  };
}

/** Functions, the gateway with Realtime on it, and last the workers: what they call must be there. */
async function startFrontDoor(start: Start, config: ProjectConfig, state: StateFile): Promise<FunctionPool> {
  const { ports, folders, log, shutdown, projectRoot, apiUrl, mark } = start;
  const functions = new FunctionPool({
    projectRoot,
    config,
    apiUrl,
    dbPort: ports.db,
    extra: start.functionsEnv ?? {},
    firstPort: ports.functionsFrom,
    logs: folders.logs,
    mark,
    log,
    processes: (pids) => state.update({ functions: pids }),
  });
  shutdown.add(() => functions.stop());
  const gateway = await startGateway({ port: ports.api, restPort: ports.rest, functions });
  shutdown.add(gateway.close);
  const adminDbUrl = databaseUrl("supabase_admin", ports.db);
  const realtime = await attachRealtime(gateway.server, { adminDbUrl, ...LOCAL_KEYS, log });
  shutdown.add(realtime.close);
  gateway.serveRealtime(realtime.handleHttp);
  const workers = await startWorkers(ports.db, log);
  shutdown.add(workers.stop);
  return functions;
}

function firstState({ projectRoot, portBase, ports, apiUrl }: Start): StackState {
  return {
    phase: "starting",
    pid: process.pid,
    startedAt: new Date().toISOString(),
    projectRoot,
    portBase,
    ports,
    apiUrl,
    dbUrl: databaseUrl("postgres", ports.db),
    publishableKey: LOCAL_KEYS.publishableKey,
    secretKey: LOCAL_KEYS.secretKey,
    children: [],
    functions: {},
  };
}
