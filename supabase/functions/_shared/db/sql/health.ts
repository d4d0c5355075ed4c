import { z } from "zod";
import type { Db } from "../types.ts";
import { parseOne } from "./rows.ts";

const count = z.number();

const health = z.object({
  ok: z.boolean(),
  checks: z.record(z.string(), z.object({ value: count.nullable(), most: count, ok: z.boolean() })),
  runs: z.record(z.string(), count),
  connections: z.record(z.string(), count),
});

export type SystemHealth = z.infer<typeof health>;

/** Whether the machinery runs. Counts over all workspaces, and nothing of any of them. */
export async function systemHealth(db: Db): Promise<SystemHealth> {
  const rows = await db.query("select private.crm_system_health() as health");
  return parseOne(z.object({ health }), rows, "crm_system_health").health;
}
