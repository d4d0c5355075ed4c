import { randomInt } from "node:crypto";
import { rm } from "node:fs/promises";
import path from "node:path";
import type { TestProject } from "vitest/node";
import { findPortBase } from "../../../../scripts/lib/ports.ts";
import { startStack } from "../../src/index.ts";
import { makeProject } from "./project.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** From here on the files look for ports that are free. */
    firstPortBase: number;
    /** A data folder with a new, empty database. */
    emptyDatabase: string;
  }
}

/** Below the ports that systems give to outgoing connections; each run begins elsewhere, so that two do not meet. */
const FIRST_PORT_BASE = 20_000 + 100 * randomInt(100);

/** Makes a database once. Every stack of the tests begins with a copy of it, which takes a second less than making one. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const projectRoot = await makeProject({});
  const dataDir = path.join(projectRoot, ".stack");
  await (await startStack({ projectRoot, dataDir, portBase: await findPortBase(FIRST_PORT_BASE) })).stop();
  project.provide("firstPortBase", FIRST_PORT_BASE);
  project.provide("emptyDatabase", dataDir);
  return () => rm(projectRoot, { recursive: true, force: true });
}
