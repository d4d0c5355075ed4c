import { StackError } from "@pipeline-crm/local-stack";
import { type Outcome, runCommand } from "./command.ts";

export interface Wanted {
  packages: readonly string[];
  /** Said when apt does not know a package. */
  unknown: (names: string) => string;
  /** Said where there is no apt at all. */
  noApt: string;
  /** Goes around the installation, such as to keep a service from starting. */
  around?: (run: Run, install: () => Promise<Outcome>) => Promise<Outcome>;
}

export type Run = (...args: string[]) => Promise<Outcome>;
type Say = (line: string) => void;

/** Two runs that install something at the same time wait for each other instead of failing. */
const LOCK = "/tmp/pipeline-crm-apt.lock";

/** Installs with apt what is missing; the versions are the distribution's. */
export async function installPackages(wanted: Wanted, say: Say): Promise<void> {
  const missing = await missingPackages(wanted);
  if (missing.length === 0) return;
  const asRoot = await rootPrefix(missing);
  const run = (...args: string[]) => runAsRoot(asRoot, args);
  say(`installing ${missing.join(", ")}`);
  let updated = false;
  if ((await withoutCandidate(missing)).length > 0) {
    await update(run, say);
    updated = true;
    const unknown = await withoutCandidate(missing);
    if (unknown.length > 0) throw new StackError("missing_part", wanted.unknown(unknown.join(", ")));
  }
  const apt = () => aptGet(run, "install", "--yes", "--quiet", "--no-install-recommends", ...missing);
  const install = () => (wanted.around === undefined ? apt() : wanted.around(run, apt));
  let outcome = await install();
  if (!outcome.ok && !updated) {
    await update(run, say);
    outcome = await install();
  }
  if (!outcome.ok)
    throw new StackError("missing_part", `apt could not install ${missing.join(", ")}:\n${lastLines(outcome)}`);
}

async function missingPackages({ packages, noApt }: Wanted): Promise<string[]> {
  const query = { program: "dpkg-query", args: ["--status", ...packages], env: { LC_ALL: "C" } };
  const { stdout } = await runCommand(query).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new StackError("missing_part", noApt);
  });
  const installed = [...stdout.matchAll(/^Package: (\S+)\nStatus: install ok installed$/gm)].map((match) => match[1]);
  return packages.filter((name) => !installed.includes(name));
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

/** Out of reach of Ctrl-C: an installation that is cut off leaves dpkg in need of repair. */
function runAsRoot(asRoot: readonly string[], args: readonly string[]): Promise<Outcome> {
  const [program = "", ...rest] = [...asRoot, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", ...args];
  return runCommand({ program, args: rest, detached: true });
}

const aptGet = (run: Run, ...args: string[]) => run("flock", LOCK, "apt-get", ...args);

async function withoutCandidate(names: readonly string[]): Promise<string[]> {
  const { stdout } = await runCommand({ program: "apt-cache", args: ["policy", ...names], env: { LC_ALL: "C" } });
  const known = new Set(
    [...stdout.matchAll(/^(\S+):\n {2}Installed: .*\n {2}Candidate: (?!\(none\))/gm)].map((match) => match[1]),
  );
  return names.filter((name) => !known.has(name));
}

async function update(run: Run, say: Say): Promise<void> {
  say("refreshing the package lists");
  const outcome = await aptGet(run, "update", "--quiet");
  if (!outcome.ok) throw new StackError("missing_part", `apt-get update failed:\n${lastLines(outcome)}`);
}

function lastLines(outcome: Outcome): string {
  return outcome.output.trimEnd().split("\n").slice(-15).join("\n");
}
