import { randomInt } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { onFreePorts } from "../../scripts/lib/ports.ts";
import { startWorkbench } from "../../scripts/lib/workbench.ts";
import type { Bench } from "./bench.ts";

/** Below the ports that systems give to outgoing connections; each run begins elsewhere, so that two do not meet. */
const FIRST_PORT_BASE = 12_000 + 100 * randomInt(50);

/** A fresh stack with both mocks for each worker of the project, on ports of its own, gone afterwards. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const files = project.vitest.state.getPaths().filter((path) => project.matchesTestGlob(path));
  const count = Math.min(project.config.maxWorkers, files.length);
  const started = await Promise.allSettled(Array.from({ length: count }, startBench));
  const benches = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const stop = async () => {
    await Promise.all(benches.map((one) => one.stop()));
  };
  const failed = started.find((one) => one.status === "rejected");
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  project.provide(
    "benches",
    benches.map(({ bench }) => bench),
  );
  return stop;
}

async function startBench(): Promise<{ bench: Bench; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), "pipeline-crm-test-"));
  // Run by root, the database server is another user, who must be able to get in.
  await chmod(dataDir, 0o755);
  const say = (line: string) => process.stderr.write(`  ${line}\n`);
  const workbench = await onFreePorts(FIRST_PORT_BASE, (portBase) => startWorkbench({ portBase, dataDir, say }));
  const { stack, mocks, returnUrl } = workbench;
  const { apiUrl, dbUrl, adminDbUrl, publishableKey, secretKey, jwtSecret } = stack;
  return {
    bench: {
      apiUrl,
      dbUrl,
      adminDbUrl,
      publishableKey,
      secretKey,
      jwtSecret,
      salesforceUrl: mocks.salesforce.url,
      hubspotUrl: mocks.hubspot.url,
      returnUrl,
      portBase: workbench.ports.api - 1,
      dataDir,
    },
    async stop() {
      await workbench.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
