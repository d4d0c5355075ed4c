import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import postgres from "postgres";
import { messageOf, StackError } from "./errors.ts";
import { fingerprint } from "./postgres/cluster.ts";
import { databaseUrl } from "./settings.ts";
import { TSX } from "./tsx.ts";

const run = promisify(execFile);

const FOLDER = path.resolve(import.meta.dirname, "../bootstrap");
const AUTH_TABLES = path.resolve(import.meta.dirname, "rest/auth-tables.ts");
const EXTENSIONS = path.resolve(import.meta.dirname, "../extensions");
/** Files before this name run before @supabase/lite makes its auth tables, the others after. */
const AUTH_TABLES_COME_AT = "50";

interface BootstrapFile {
  name: string;
  sql: string;
}

async function bootstrapFiles(): Promise<BootstrapFile[]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith(".sql")).sort();
  return Promise.all(names.map(async (name) => ({ name, sql: await readFile(path.join(FOLDER, name), "utf8") })));
}

/** Changes when the bootstrap changes, so that a start can tell an old database from a current one. */
export async function bootstrapFingerprint(): Promise<string> {
  const texts = (await bootstrapFiles()).map((file) => file.sql);
  for (const name of (await readdir(EXTENSIONS)).sort()) {
    for (const file of (await readdir(path.join(EXTENSIONS, name))).sort()) {
      texts.push(await readFile(path.join(EXTENSIONS, name, file), "utf8"));
    }
  }
  return fingerprint(texts);
}

/** Turns an empty cluster into what a fresh hosted project looks like before the first migration. */
export async function bootstrapDatabase(port: number): Promise<void> {
  const files = await bootstrapFiles();
  const sql = postgres(databaseUrl("supabase_admin", port), { max: 1, onnotice: () => {} });
  try {
    await runFiles(
      sql,
      files.filter((file) => file.name < AUTH_TABLES_COME_AT),
    );
    await createAuthTables(port);
    await runFiles(
      sql,
      files.filter((file) => file.name >= AUTH_TABLES_COME_AT),
    );
  } finally {
    await sql.end();
  }
}

async function runFiles(sql: postgres.Sql, files: readonly BootstrapFile[]): Promise<void> {
  for (const file of files) {
    try {
      await sql.begin((tx) => tx.unsafe(file.sql));
    } catch (error) {
      throw new StackError("bootstrap_failed", `The bootstrap file ${file.name} failed: ${messageOf(error)}.`, {
        cause: error,
      });
    }
  }
}

/** In a process of its own: the library is large and talks on stderr, and only a first start needs it here. */
async function createAuthTables(port: number): Promise<void> {
  try {
    await run(process.execPath, ["--import", TSX, AUTH_TABLES, String(port)], { env: { PATH: process.env.PATH } });
  } catch (error) {
    throw new StackError("bootstrap_failed", `The auth tables could not be made: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
