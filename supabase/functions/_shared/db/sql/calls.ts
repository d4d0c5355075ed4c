import { z } from "zod";
import type { CallGrant, CallNews, CallStore } from "../../sync/gate.ts";
import type { Db } from "../types.ts";
import { json, parseOne } from "./rows.ts";

const grant = z.object({
  granted: z.number(),
  wait_ms: z.number(),
  spacing_ms: z.number(),
  tolerance_ms: z.number(),
  bucket: z.string(),
  until: z.date().nullable(),
});

/** The calls of one connection, shared by all its workers. */
export function callStore(db: Db, config: string, provider: string): CallStore {
  return {
    async take({ family, purpose, wanted, news }): Promise<CallGrant> {
      const rows = await db.query(
        `select granted, wait_ms, spacing_ms::double precision, tolerance_ms::double precision, bucket, until
           from private.crm_take_calls($1::uuid, $2::text, $3::text, $4::text, $5::integer, $6::text::jsonb)`,
        [config, provider, family, purpose, wanted, news === null ? null : json(news)],
      );
      const { until, ...taken } = parseOne(grant, rows, "crm_take_calls");
      return { ...taken, until: until?.toISOString() ?? null };
    },
    async tell(news: CallNews) {
      await db.query("select private.crm_report_calls($1::uuid, $2::text, $3::text::jsonb)", [
        config,
        provider,
        json(news),
      ]);
    },
  };
}
