import type { Outcome } from "../lib/command.ts";
import { installPackages as install, type Run } from "../lib/debian-packages.ts";

const PACKAGES = [
  "postgresql-15",
  "postgresql-15-cron",
  "postgresql-15-plpgsql-check",
  "postgresql-15-pgtap",
  "libtap-parser-sourcehandler-pgtap-perl",
] as const;

/** While this file is there, installing PostgreSQL makes (and starts) no cluster: the lane has its own. */
const NO_MAIN_CLUSTER = "/etc/postgresql-common/createcluster.d/pipeline-crm.conf";

/** Installs with apt what is missing; the versions are the distribution's. */
export function installPackages(say: (line: string) => void): Promise<void> {
  return install(
    {
      packages: PACKAGES,
      unknown: (names) =>
        `apt knows no ${names}: this lane needs Debian 12 (bookworm), whose PostgreSQL is version 15.`,
      noApt: "This lane installs Debian packages, and there is no dpkg here: run it on Debian 12.",
      around: withoutCluster,
    },
    say,
  );
}

async function withoutCluster(run: Run, installation: () => Promise<Outcome>): Promise<Outcome> {
  const prepared = await run(
    "sh",
    "-c",
    `mkdir -p "$(dirname ${NO_MAIN_CLUSTER})" && echo create_main_cluster = false > ${NO_MAIN_CLUSTER}`,
  );
  if (!prepared.ok) return prepared;
  try {
    return await installation();
  } finally {
    await run("sh", "-c", `rm -f ${NO_MAIN_CLUSTER}; rmdir --ignore-fail-on-non-empty "$(dirname ${NO_MAIN_CLUSTER})"`);
  }
}
