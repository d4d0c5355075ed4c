import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import postgres from "postgres";
import { StackError } from "./errors.ts";
import { databaseUrl } from "./settings.ts";

const run = promisify(execFile);

/** Applies what is pending with the official CLI, and does not even start it when nothing is. */
export async function applyMigrations(projectRoot: string, dbPort: number): Promise<string[]> {
  const pending = await pendingMigrations(projectRoot, dbPort);
  if (pending.length === 0) return [];
  // `--remote` with our own address works on every port; the local target is bound to the port in config.toml.
  const args = ["db", "push", `--remote=${databaseUrl("postgres", dbPort)}`, "--yes", "--workdir", projectRoot];
  try {
    await run(path.join(projectRoot, "node_modules", ".bin", "supabase"), args, {
      cwd: projectRoot,
      env: { ...process.env, SUPABASE_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", NO_COLOR: "1" },
      maxBuffer: 64 * 1024 * 1024,
    });
  } catch (error) {
    const { stderr = "", stdout = "", message } = error as { stderr?: string; stdout?: string; message: string };
    const output = `${stdout}\n${stderr}`.trim() || message;
    throw new StackError("migration_failed", `A migration failed:\n${output}`, { cause: error });
  }
  const left = await pendingMigrations(projectRoot, dbPort);
  if (left.length > 0)
    throw new StackError("migration_failed", `The CLI left migrations unapplied: ${left.join(", ")}.`);
  return pending;
}

async function pendingMigrations(projectRoot: string, dbPort: number): Promise<string[]> {
  const folder = path.join(projectRoot, "supabase", "migrations");
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const sql = postgres(databaseUrl("postgres", dbPort), { max: 1, onnotice: () => {} });
  try {
    const rows = await sql<{ version: string }[]>`select version from supabase_migrations.schema_migrations`;
    const applied = new Set(rows.map((row) => row.version));
    return files.filter((file) => /^\d+_.*\.sql$/.test(file) && !applied.has(file.split("_")[0] ?? "")).sort();
  } finally {
    await sql.end();
  }
}
