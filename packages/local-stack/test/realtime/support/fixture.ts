import { rm } from "node:fs/promises";
import path from "node:path";
import postgres, { type Sql } from "postgres";
import { inject } from "vitest";
import { onFreePorts } from "../../../../../scripts/lib/ports.ts";
import { type Stack, startStack } from "../../../src/index.ts";
import { copyDatabase, makeProject } from "../../support/project.ts";
import { PORT_BASE } from "../../support/stack.ts";

export interface RealtimeFixture {
  stack: Stack;
  /** The superuser. */
  sql: Sql;
  log: string[];
  close(): Promise<void>;
}

/** A stack of its own, with nothing in its database. */
export async function startRealtime(): Promise<RealtimeFixture> {
  const log: string[] = [];
  const projectRoot = await makeProject({});
  const dataDir = path.join(projectRoot, ".stack");
  await copyDatabase(inject("emptyDatabase"), dataDir);
  const stack = await onFreePorts(PORT_BASE, (portBase) =>
    startStack({ projectRoot, dataDir, portBase, log: (line) => log.push(line) }),
  );
  const sql = postgres(stack.adminDbUrl, { max: 4, onnotice: () => {} });
  return {
    stack,
    sql,
    log,
    async close() {
      await sql.end();
      await stack.stop();
      await rm(projectRoot, { recursive: true, force: true });
    },
  };
}
