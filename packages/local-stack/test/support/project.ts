import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
export const REPOSITORY = path.resolve(import.meta.dirname, "../../../..");

/** Files of a throw-away project, by path below its root. */
export type ProjectFiles = Record<string, string>;

export async function makeProject(files: ProjectFiles): Promise<string> {
  const root = await mkdtemp(path.join(os.tmpdir(), "stack-test-"));
  // Run by root, the database server is another user, who must be able to get in.
  await chmod(root, 0o755);
  await symlink(path.join(REPOSITORY, "node_modules"), path.join(root, "node_modules"));
  await writeFiles(root, { "supabase/config.toml": 'project_id = "test"\n[db]\nmajor_version = 17\n', ...files });
  return root;
}

export async function writeFiles(root: string, files: ProjectFiles): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

/** A copy of a stopped stack's database; its files keep their owner, who is not always us. */
export async function copyDatabase(from: string, to: string): Promise<void> {
  await run("cp", ["-a", from, to]);
}
