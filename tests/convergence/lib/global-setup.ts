import { randomInt } from "node:crypto";
import type { TestProject } from "vitest/node";
import { startGround } from "./bed.ts";

declare module "vitest" {
  export interface ProvidedContext {
    convergenceDb: string;
  }
}

/** Below the ports that systems give to outgoing connections; each run begins elsewhere, so that two do not meet. */
const FIRST_PORT = 17_200 + 100 * randomInt(10);

/** One database for all files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const ground = await startGround(FIRST_PORT);
  project.provide("convergenceDb", ground.dbUrl);
  return () => ground.stop();
}
