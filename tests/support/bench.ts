import { inject } from "vitest";
import { holdForUse } from "../../scripts/lib/ports.ts";

/** A running stack with both mock CRMs. */
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
    benches: Bench[];
  }
}

const OWN = "PIPELINE_TEST_BENCH";
const PATIENCE_MS = 60_000;

/**
 * Takes one that no other file is using, for as long as this process lives. Not by the worker's number: between two groups of files
 * Vitest may give the same one twice. The process of the file before may take a moment to go.
 */
export async function takeBench(): Promise<void> {
  const benches = inject("benches");
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; ) {
    for (const [index, { portBase }] of benches.entries()) {
      if (await holdForUse(portBase)) {
        process.env[OWN] = String(index);
        return;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("Every stack is in use by another test file.");
}

/** The stack of this file. */
export function bench(): Bench {
  const own = inject("benches")[Number(process.env[OWN])];
  if (own === undefined)
    throw new Error("This file has taken no stack: its project lacks the setup file own-bench.ts.");
  return own;
}
