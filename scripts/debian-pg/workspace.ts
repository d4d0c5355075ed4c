import { chmod, mkdir, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive, stopOrphan } from "@pipeline-crm/local-stack";

const PREFIX = "pipeline-crm-debian-pg-";

/** One run's folder: server, data and log. Its name carries the process, so that a later run knows it as left over. */
export interface Workspace {
  folder: string;
  pgData: string;
  log: string;
}

function workspaceOf(pid: number): Workspace {
  const folder = join(tmpdir(), `${PREFIX}${pid}`);
  return { folder, pgData: join(folder, "postgres"), log: join(folder, "postgres.log") };
}

export async function makeWorkspace(say: (line: string) => void): Promise<Workspace> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : Number.NaN;
    if (!Number.isInteger(pid) || (isAlive(pid) && pid !== process.pid)) continue;
    say("removing what a killed run left behind");
    const old = workspaceOf(pid);
    await stopOrphan(old.pgData, say);
    await removeWorkspace(old);
  }
  const workspace = workspaceOf(process.pid);
  await mkdir(workspace.folder);
  // The server's own user must be able to walk in, whatever the umask.
  await chmod(workspace.folder, 0o755);
  return workspace;
}

export async function removeWorkspace(workspace: Workspace): Promise<void> {
  await rm(workspace.folder, { recursive: true, force: true });
}
