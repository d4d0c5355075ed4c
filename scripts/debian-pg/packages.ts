import { StackError } from "@pipeline-crm/local-stack";
import { type Outcome, runCommand } from "./command.ts";

const PACKAGES = [
  "postgresql-15",
  "postgresql-15-cron",
  "postgresql-15-plpgsql-check",
  "postgresql-15-pgtap",
  "libtap-parser-sourcehandler-pgtap-perl",
] as const;

/** While this file is there, installing PostgreSQL makes (and starts) no cluster: the lane has its own. */
const NO_MAIN_CLUSTER = "/etc/postgresql-common/createcluster.d/pipeline-crm.conf";

type Say = (line: string) => void;

/** Installs with apt what is missing; the versions are the distribution's. */
export async function installPackages(say: Say): Promise<void> {
  const missing = await missingPackages();
  if (missing.length === 0) return;
  const asRoot = await rootPrefix(missing);
  const run = (...args: string[]) => runAsRoot(asRoot, args);
  say(`installing ${missing.join(", ")}`);
  let updated = false;
  if ((await withoutCandidate(missing)).length > 0) {
    await update(run, say);
    updated = true;
    const unknown = await withoutCandidate(missing);
    if (unknown.length > 0) {
      throw new StackError(
        "missing_part",
        `apt knows no ${unknown.join(", ")}: this lane needs Debian 12 (bookworm), whose PostgreSQL is version 15.`,
      );
    }
  }
  const install = () => installWithoutCluster(run, missing);
  let outcome = await install();
  if (!outcome.ok && !updated) {
    await update(run, say);
    outcome = await install();
  }
  if (!outcome.ok)
    throw new StackError("missing_part", `apt could not install ${missing.join(", ")}:\n${lastLines(outcome)}`);
}

async function missingPackages(): Promise<string[]> {
  const query = { program: "dpkg-query", args: ["--status", ...PACKAGES], env: { LC_ALL: "C" } };
  const { stdout } = await runCommand(query).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new StackError(
      "missing_part",
      "This lane installs Debian packages, and there is no dpkg here: run it on Debian 12.",
    );
  });
  const installed = [...stdout.matchAll(/^Package: (\S+)\nStatus: install ok installed$/gm)].map((match) => match[1]);
  return PACKAGES.filter((name) => !installed.includes(name));
}

/** What to put before a command to run it as root: nothing, or sudo where it asks no password. */
async function rootPrefix(missing: readonly string[]): Promise<string[]> {
  if (process.getuid?.() === 0) return [];
  const sudo = await runCommand({ program: "sudo", args: ["-n", "true"] }).catch(() => ({ ok: false }));
  if (sudo.ok) return ["sudo", "-n"];
  throw new StackError(
    "missing_part",
    `Packages are missing and this user may not install them. Run: sudo apt-get install --yes ${missing.join(" ")}`,
  );
}

type Run = (...args: string[]) => Promise<Outcome>;

/** Out of reach of Ctrl-C: an installation that is cut off leaves dpkg in need of repair. */
function runAsRoot(asRoot: readonly string[], args: readonly string[]): Promise<Outcome> {
  const [program = "", ...rest] = [...asRoot, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", ...args];
  return runCommand({ program, args: rest, detached: true });
}

async function withoutCandidate(names: readonly string[]): Promise<string[]> {
  const { stdout } = await runCommand({ program: "apt-cache", args: ["policy", ...names], env: { LC_ALL: "C" } });
  const known = new Set(
    [...stdout.matchAll(/^(\S+):\n {2}Installed: .*\n {2}Candidate: (?!\(none\))/gm)].map((match) => match[1]),
  );
  return names.filter((name) => !known.has(name));
}

async function update(run: Run, say: Say): Promise<void> {
  say("refreshing the package lists");
  const outcome = await run("apt-get", "update", "--quiet");
  if (!outcome.ok) throw new StackError("missing_part", `apt-get update failed:\n${lastLines(outcome)}`);
}

async function installWithoutCluster(run: Run, names: readonly string[]): Promise<Outcome> {
  const prepared = await run(
    "sh",
    "-c",
    `mkdir -p "$(dirname ${NO_MAIN_CLUSTER})" && echo create_main_cluster = false > ${NO_MAIN_CLUSTER}`,
  );
  if (!prepared.ok) return prepared;
  try {
    return await run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", ...names);
  } finally {
    await run("sh", "-c", `rm -f ${NO_MAIN_CLUSTER}; rmdir --ignore-fail-on-non-empty "$(dirname ${NO_MAIN_CLUSTER})"`);
  }
}

function lastLines(outcome: Outcome): string {
  return outcome.output.trimEnd().split("\n").slice(-15).join("\n");
}
