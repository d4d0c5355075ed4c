import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import postgres from "postgres";
import { afterEach, beforeEach, inject } from "vitest";
import { type Stack, StackError, startStack } from "../../src/index.ts";
import { copyDatabase, makeProject } from "./project.ts";
import { PORT_BASE } from "./stack.ts";

const FIRST_MIGRATION = {
  "supabase/migrations/20260101000000_one.sql": "create table public.one (id int primary key);",
};

/** A project for each test, whose stack the test starts and stops itself. */
export class Restarts {
  projectRoot = "";
  dataDir = "";
  readonly lines: string[] = [];
  #running: Stack | undefined;

  get pgData(): string {
    return path.join(this.dataDir, "postgres");
  }

  async begin(): Promise<void> {
    this.projectRoot = await makeProject(FIRST_MIGRATION);
    this.dataDir = path.join(this.projectRoot, ".stack");
    this.lines.length = 0;
  }

  async start(options: { migrate?: boolean } = {}): Promise<Stack> {
    await beginWithDatabase(this.dataDir);
    const { projectRoot, dataDir, lines } = this;
    const log = (line: string) => lines.push(line);
    this.#running = await startStack({ projectRoot, dataDir, portBase: PORT_BASE, log, ...options });
    return this.#running;
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }

  async end(): Promise<void> {
    await this.stop();
    await rm(this.projectRoot, { recursive: true, force: true });
  }
}

export function useRestarts(): Restarts {
  const restarts = new Restarts();
  beforeEach(() => restarts.begin());
  afterEach(() => restarts.end());
  return restarts;
}

/** Only where a test has not made a data folder of its own. */
export async function beginWithDatabase(dataDir: string): Promise<void> {
  if (!existsSync(dataDir)) await copyDatabase(inject("emptyDatabase"), dataDir);
}

export async function refusal(promise: Promise<unknown>): Promise<StackError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof StackError)) throw new Error(`expected a StackError, got ${String(error)}`);
  return error;
}

export async function query(stack: Stack, text: string, url = stack.dbUrl) {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return await sql.unsafe(text);
  } finally {
    await sql.end();
  }
}
