import { rm } from "node:fs/promises";
import path from "node:path";
import postgres, { type Sql } from "postgres";
import { afterAll, afterEach, beforeAll, inject } from "vitest";
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

/** What a test has to hang up when it is over. */
export interface Connection {
  disconnect(): void;
}

/** One stack for the tests of a file, filled before the first of them; whoever connects is hung up after each. */
export function useRealtime(prepare: (fixture: RealtimeFixture) => Promise<void> = async () => {}) {
  const fixture = {} as RealtimeFixture;
  const connections: Connection[] = [];
  beforeAll(async () => {
    Object.assign(fixture, await startRealtime());
    await prepare(fixture);
  });
  afterEach(() => {
    for (const connection of connections.splice(0)) connection.disconnect();
  });
  afterAll(() => fixture.close?.());
  return { fixture, connections };
}
