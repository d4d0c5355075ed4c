import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chown, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { messageOf, StackError } from "../errors.ts";
import { commandLine, endProcess } from "../processes.ts";
import type { ServerHome } from "./binaries.ts";

const run = promisify(execFile);
const MAJOR_VERSION = "17";
const RESET_HINT = 'run "npm run reset" to throw the data away and start afresh';

const SETTINGS = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 120
shared_buffers = 256MB
work_mem = 16MB
maintenance_work_mem = 128MB
wal_level = logical
max_wal_senders = 10
max_replication_slots = 10
max_wal_size = 2GB
fsync = off
full_page_writes = off
synchronous_commit = on
autovacuum_naptime = 20s
jit = off
statement_timeout = '2min'
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, mdy'
shared_preload_libraries = 'pg_stat_statements, auto_explain'
log_line_prefix = '%m [%p] %q%u@%d '
log_statement = 'none'
log_min_error_statement = panic
`;

type ClusterState = { kind: "absent" } | { kind: "half_made" } | { kind: "ready"; bootstrap: string };

/** Looks at the data folder without starting anything. Throws the sentence for a folder that cannot be used. */
export async function inspectCluster(pgData: string): Promise<ClusterState> {
  if (await exists(`${pgData}.unfinished`)) return { kind: "half_made" };
  const entries = await readdir(pgData).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (entries.length === 0) return { kind: "absent" };
  const version = (await readText(path.join(pgData, "PG_VERSION")))?.trim();
  if (version && version !== MAJOR_VERSION) {
    throw new StackError(
      "data_version",
      `The data folder ${pgData} was made by PostgreSQL ${version}, this is PostgreSQL ${MAJOR_VERSION}; ${RESET_HINT}.`,
    );
  }
  for (const needed of ["PG_VERSION", "global/pg_control", "postgresql.conf", "vault.key", "bootstrap.sha256"]) {
    if (!(await exists(path.join(pgData, needed)))) throw corrupt(pgData, `${needed} is missing`);
  }
  return { kind: "ready", bootstrap: (await readText(path.join(pgData, "bootstrap.sha256"))) ?? "" };
}

export function corrupt(pgData: string, reason: string, cause?: unknown): StackError {
  return new StackError("data_corrupt", `The data folder ${pgData} is damaged (${reason}); ${RESET_HINT}.`, { cause });
}

/** Runs initdb. Until `finishCluster` is called the folder counts as half made, and the next start makes it anew. */
export async function createCluster(home: ServerHome, password: string): Promise<void> {
  const { pgData, identity } = home;
  await rm(pgData, { recursive: true, force: true });
  await writeFile(`${pgData}.unfinished`, "");
  await mkdir(pgData, { recursive: true, mode: 0o700 });
  const passwordFile = `${pgData}.password`;
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (identity) for (const file of [pgData, passwordFile]) await chown(file, identity.uid, identity.gid);
  try {
    await run(
      path.join(home.native, "bin", "initdb"),
      [
        "-D",
        pgData,
        "-U",
        "supabase_admin",
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=icu",
        "--icu-locale=en-US",
        "--no-sync",
        "--no-instructions",
      ],
      { ...identity, cwd: path.dirname(pgData), env: {} },
    );
  } catch (error) {
    throw new StackError("server_failed", `PostgreSQL could not make its data folder: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    await rm(passwordFile, { force: true });
  }
  await writeOwned(home, "postgresql.auto.conf", SETTINGS);
  await writeOwned(home, "vault.key", `${randomBytes(32).toString("hex")}\n`);
}

export async function finishCluster(home: ServerHome, bootstrap: string): Promise<void> {
  await writeOwned(home, "bootstrap.sha256", bootstrap);
  await rm(`${home.pgData}.unfinished`);
}

async function writeOwned(home: ServerHome, name: string, text: string): Promise<void> {
  const file = path.join(home.pgData, name);
  await writeFile(file, text, { mode: 0o600 });
  if (home.identity) await chown(file, home.identity.uid, home.identity.gid);
}

/** A server left behind by a killed stack still holds the folder: stop it. A pid file without a server is only dust. */
export async function stopOrphan(pgData: string, log: (line: string) => void): Promise<void> {
  const pidFile = path.join(pgData, "postmaster.pid");
  const pid = Number((await readText(pidFile))?.split("\n")[0]);
  if (!Number.isInteger(pid) || pid <= 0) return;
  const command = await commandLine(pid);
  if (command?.includes(pgData)) {
    log(`stopping the database server that an earlier run left behind (process ${pid})`);
    if (!(await endProcess(pid, ["SIGINT", "SIGQUIT", "SIGKILL"], 10_000))) {
      throw new StackError("server_failed", `The database server of an earlier run (process ${pid}) does not stop.`);
    }
  }
  await rm(pidFile, { force: true });
}

export function fingerprint(texts: readonly string[]): string {
  return createHash("sha256").update(texts.join("\0")).digest("hex");
}

async function exists(file: string): Promise<boolean> {
  return (await readText(file)) !== undefined;
}

async function readText(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
}
