import type { z } from "zod";
import { DbFailure } from "../types.ts";

/** Every row that crosses from SQL is checked once, here; a mismatch means code and migrations differ. */
export function parseRow<T>(schema: z.ZodType<T>, row: unknown, verb: string): T {
  const parsed = schema.safeParse(row);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues.map((issue) => `${issue.path.join(".") || "row"}: ${issue.message}`).join("; ");
  throw new DbFailure({ code: "row_shape", message: `${verb} returned something unexpected (${where}).` });
}

export function parseOne<T>(schema: z.ZodType<T>, rows: readonly unknown[], verb: string): T {
  const [row] = rows;
  if (row === undefined) throw new DbFailure({ code: "row_missing", message: `${verb} returned nothing.` });
  return parseRow(schema, row, verb);
}

/** jsonb parameters travel as text; the SQL casts them with `::text::jsonb`. */
export function json(value: unknown): string {
  return JSON.stringify(value);
}
