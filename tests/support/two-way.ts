import { readFileSync } from "node:fs";

import type { EntityType, Operation } from "../../scripts/lib/sync-run.ts";
import { bench } from "./bench.ts";
import { control, type openSql, type Provider, sync, type World } from "./world.ts";

type Fields = Record<string, unknown>;
type Raw = { Id?: string; id?: string; IsDeleted?: boolean; properties?: Fields } & Fields;

/** Live records of the mock by id, as the CRM has them now. */
export async function inMock(provider: Provider, type: string): Promise<Map<string, Fields>> {
  const records = new Map<string, Fields>();
  for (let from = 0; ; from += PAGE) {
    const page = await control<{ records: Raw[] }>(provider, `records?type=${type}&from=${from}&count=${PAGE}`);
    for (const one of page.records)
      if (one.IsDeleted !== true) records.set(String(one.Id ?? one.id), one.properties ?? one);
    if (page.records.length < PAGE) return records;
  }
}

const PAGE = 10_000;

export async function rowsWritten(provider: Provider): Promise<number> {
  return (await control<{ rows_written: number }>(provider, "counters")).rows_written;
}

/** A run to its end; the sentence it ended with shows when it did not go well. */
export async function finished(world: World, config: string, entities?: EntityType[]): Promise<Operation> {
  const operation = await sync(world, config, () => {}, entities === undefined ? {} : { entities });
  if (operation.status !== "completed")
    throw new Error(`The sync is ${operation.status}: ${operation.error_message ?? "without a reason"}`);
  return operation;
}

/** Time passes: records that wait for their next try are due, and a CRM would show what was created. */
export async function later(sql: ReturnType<typeof openSql>, config: string): Promise<void> {
  await sql`
    update private.crm_outbox set not_before = now(), intent_at = intent_at - interval '2 minutes'
    where config_id = ${config} and not_before < 'infinity'`;
}

/** The process that serves a function now; the stack keeps the list in its state file. */
export function functionPid(name: string, dataDir = bench().dataDir): number {
  const path = `${dataDir}/stack.json`;
  const state = JSON.parse(readFileSync(path, "utf8")) as { functions: Record<string, number> };
  const pid = state.functions[name];
  if (pid === undefined) throw new Error(`The function ${name} is not running.`);
  return pid;
}
