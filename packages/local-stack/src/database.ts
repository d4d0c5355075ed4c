import path from "node:path";
import postgres from "postgres";
import { bootstrapDatabase, bootstrapFingerprint } from "./bootstrap.ts";
import { messageOf } from "./errors.ts";
import { requireFreePorts } from "./ports.ts";
import { prepareHome, type ServerHome } from "./postgres/binaries.ts";
import { corrupt, createCluster, finishCluster, inspectCluster, stopOrphan } from "./postgres/cluster.ts";
import { installExtensions } from "./postgres/extensions.ts";
import { type Server, startServer } from "./postgres/server.ts";
import { databaseUrl, type Folders, LOCAL_KEYS, type Ports } from "./settings.ts";

export interface DatabaseOptions {
  ports: Ports;
  folders: Folders;
  log: (line: string) => void;
  /** Told as soon as there is a process to stop. */
  started: (server: Server) => Promise<void>;
}

/** Starts the server on an existing cluster, or makes and bootstraps a new one. */
export async function startDatabase(options: DatabaseOptions): Promise<Server> {
  const { ports, folders, log } = options;
  const home = await prepareHome(folders.dataDir);
  await stopOrphan(home.pgData, log);
  await requireFreePorts({ API: ports.api, "the database": ports.db, "the REST server": ports.rest });
  const cluster = await inspectCluster(home.pgData);
  await installExtensions(home.native);
  if (cluster.kind === "half_made") log("an earlier first start was cut off: making the database anew");
  if (cluster.kind !== "ready") await createCluster(home, LOCAL_KEYS.databasePassword);
  const server = await startServer(home, ports.db, path.join(folders.logs, "postgres.log"));
  await options.started(server);
  const fingerprint = await bootstrapFingerprint();
  if (cluster.kind !== "ready") {
    log("making the database");
    await bootstrapDatabase(ports.db);
    await finishCluster(home, fingerprint);
    return server;
  }
  await requireUsable(home, ports.db);
  if (cluster.bootstrap !== fingerprint) {
    log('the stack\'s bootstrap has changed since this database was made: "npm run reset" makes it anew');
  }
  return server;
}

/** A server can start on a folder that has lost files, and notice only when somebody connects. */
async function requireUsable(home: ServerHome, port: number): Promise<void> {
  const sql = postgres(databaseUrl("supabase_admin", port), { max: 1, onnotice: () => {} });
  try {
    await sql`select count(*) from auth.users`;
  } catch (error) {
    throw corrupt(home.pgData, messageOf(error), error);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
