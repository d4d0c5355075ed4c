import { randomInt } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { onFreePorts } from "../../scripts/lib/ports.ts";
import { startWorkbench } from "../../scripts/lib/workbench.ts";

export interface Bench {
  apiUrl: string;
  dbUrl: string;
  adminDbUrl: string;
  publishableKey: string;
  secretKey: string;
  jwtSecret: string;
  salesforceUrl: string;
  hubspotUrl: string;
  returnUrl: string;
  portBase: number;
  dataDir: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    bench: Bench;
  }
}

/** Below the ports that systems give to outgoing connections; each run begins elsewhere, so that two do not meet. */
const FIRST_PORT_BASE = 12_000 + 100 * randomInt(50);

/** One fresh stack with both mocks for all files of the project, on ports of its own, gone afterwards. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), "pipeline-crm-test-"));
  // Run by root, the database server is another user, who must be able to get in.
  await chmod(dataDir, 0o755);
  const say = (line: string) => process.stderr.write(`  ${line}\n`);
  const workbench = await onFreePorts(FIRST_PORT_BASE, (portBase) => startWorkbench({ portBase, dataDir, say }));
  const { stack, mocks, returnUrl } = workbench;
  const portBase = workbench.ports.api - 1;
  project.provide("bench", {
    apiUrl: stack.apiUrl,
    dbUrl: stack.dbUrl,
    adminDbUrl: stack.adminDbUrl,
    publishableKey: stack.publishableKey,
    secretKey: stack.secretKey,
    jwtSecret: stack.jwtSecret,
    salesforceUrl: mocks.salesforce.url,
    hubspotUrl: mocks.hubspot.url,
    returnUrl,
    portBase,
    dataDir,
  });
  return async () => {
    await workbench.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}
