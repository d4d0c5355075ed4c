import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { replaceFile } from "./binaries.ts";

const run = promisify(execFile);
const require = createRequire(import.meta.url);
export const STAND_INS = path.resolve(import.meta.dirname, "../../extensions");

/** Extensions that hosted lets `postgres` create though they are not "trusted" in a plain server. */
const ALLOWED_TO_POSTGRES = [
  "autoinc",
  "earthdistance",
  "insert_username",
  "moddatetime",
  "pg_prewarm",
  "pgrowlocks",
  "pgstattuple",
  "refint",
];

/** Puts our stand-ins and the real pgtap where `create extension` finds them. Safe to repeat and to run at once. */
export async function installExtensions(native: string): Promise<void> {
  const target = path.join(native, "share", "postgresql", "extension");
  const present = new Set(await readdir(target));
  for (const name of await readdir(STAND_INS)) {
    for (const file of await readdir(path.join(STAND_INS, name))) {
      await putText(path.join(target, file), await readFile(path.join(STAND_INS, name, file), "utf8"));
    }
  }
  if (!present.has("pgtap.control")) await installPgTap(target);
  for (const name of ALLOWED_TO_POSTGRES.filter((each) => present.has(`${each}.control`))) {
    await markTrusted(path.join(target, `${name}.control`));
  }
}

async function putText(file: string, text: string): Promise<void> {
  const current = await readFile(file, "utf8").catch(() => undefined);
  if (current !== text) await replaceFile(file, (temporary) => writeFile(temporary, text));
}

async function markTrusted(control: string): Promise<void> {
  const text = await readFile(control, "utf8");
  if (!/^trusted\s*=/m.test(text)) await putText(control, `${text.trimEnd()}\ntrusted = true\n`);
}

async function installPgTap(target: string): Promise<void> {
  const archive = path.join(path.dirname(require.resolve("@electric-sql/pglite-pgtap")), "pgtap.tar.gz");
  const unpacked = await mkdtemp(path.join(os.tmpdir(), "pgtap-"));
  await run("tar", ["-xzf", archive, "-C", unpacked]);
  const source = path.join(unpacked, "share", "postgresql", "extension");
  const scripts = (await readdir(source)).filter((file) => /^pgtap--[\d.]+\.sql$/.test(file));
  // The control file goes last: it is what says that the extension is there.
  for (const file of [...scripts, "pgtap.control"]) {
    await putText(path.join(target, file), await readFile(path.join(source, file), "utf8"));
  }
  await rm(unpacked, { recursive: true });
}
