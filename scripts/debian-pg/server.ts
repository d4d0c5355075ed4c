import { appendFile, copyFile, mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import {
  createCluster,
  LOCAL_KEYS,
  type ServerHome,
  STAND_INS,
  StackError,
  startServer,
  unprivilegedUser,
} from "@pipeline-crm/local-stack";
import { findPortBase, portsFrom } from "../lib/ports.ts";
import type { Workspace } from "./workspace.ts";

/** A range of its own, beside a running `npm start` and `npm test`. */
const FIRST_PORT_BASE = 62_300;
const PORT_ATTEMPTS = 3;

const LIBRARIES = "/usr/lib/postgresql/15";
const SHARE = "/usr/share/postgresql/15";

/** The distribution has no pg_net and no supabase_vault: these two come from the local stack. pg_cron is the real one. */
const STAND_INS_NEEDED = ["pg_net", "supabase_vault"];

/** Added to the local stack's settings; jobs run in background workers, which need no password. */
const SETTINGS = `
shared_preload_libraries = 'pg_stat_statements, auto_explain, pg_cron, plpgsql_check'
max_worker_processes = 20
cron.database_name = 'postgres'
cron.timezone = 'GMT'
cron.use_background_workers = on
`;

/** Starts Debian's PostgreSQL on a new cluster in the workspace and a free port. */
export async function startDebianServer(workspace: Workspace): Promise<{ port: number; stop: () => Promise<void> }> {
  const native = await relocateServer(join(workspace.folder, "server"));
  const home: ServerHome = { native, pgData: workspace.pgData, identity: await unprivilegedUser() };
  await createCluster(home, LOCAL_KEYS.databasePassword);
  await appendFile(join(home.pgData, "postgresql.auto.conf"), SETTINGS);
  for (let attempt = 1; ; attempt += 1) {
    const port = portsFrom(await findPortBase(FIRST_PORT_BASE)).database;
    try {
      const { stop } = await startServer(home, port, workspace.log);
      return { port, stop };
    } catch (error) {
      // Somebody took the port after it was found free.
      const lostRace = error instanceof StackError && error.kind === "port_taken";
      if (!lostRace || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

/**
 * PostgreSQL finds its libraries and extensions relative to its own program. A copy of the two programs beside links to
 * everything else is Debian's server with extra extensions, and nothing in /usr is touched.
 */
async function relocateServer(root: string): Promise<string> {
  const native = join(root, "lib", "postgresql", "15");
  const share = join(root, "share", "postgresql", "15");
  const extensions = join(share, "extension");
  await mkdir(join(native, "bin"), { recursive: true });
  await mkdir(extensions, { recursive: true });
  for (const program of ["initdb", "postgres"]) {
    await copyFile(join(LIBRARIES, "bin", program), join(native, "bin", program));
  }
  await symlink(join(LIBRARIES, "lib"), join(native, "lib"));
  await linkAll(SHARE, share, (name) => name !== "extension");
  await linkAll(join(SHARE, "extension"), extensions, (name) => !STAND_INS_NEEDED.some((each) => isFileOf(each, name)));
  for (const name of STAND_INS_NEEDED) {
    const from = join(STAND_INS, name);
    for (const file of await readdir(from)) await copyFile(join(from, file), join(extensions, file));
  }
  return native;
}

function isFileOf(extension: string, file: string): boolean {
  return file === `${extension}.control` || file.startsWith(`${extension}--`);
}

async function linkAll(from: string, to: string, wanted: (name: string) => boolean): Promise<void> {
  for (const name of (await readdir(from)).filter(wanted)) await symlink(join(from, name), join(to, name));
}
