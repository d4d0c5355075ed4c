import { z } from "zod";
import type { Db } from "../types.ts";
import { json, parseOne } from "./rows.ts";

const lineError = z.object({ line: z.number(), column: z.string().nullable(), message: z.string() });

const outcome = z.object({
  inserted: z.number(),
  updated: z.number(),
  unchanged: z.number(),
  written: z.boolean(),
  errors: z.array(lineError),
});

export type ImportOutcome = z.infer<typeof outcome>;
export type ImportCounts = Pick<ImportOutcome, "inserted" | "updated" | "unchanged">;

export interface ImportRequest {
  actor: string;
  workspace: string;
  kind: string;
  lines: readonly { line: number; cells: Readonly<Record<string, unknown>> }[];
  write: boolean;
  skip: boolean;
}

/** All lines or none, in one transaction; with `skip` the right ones. */
export async function importPeople(db: Db, request: ImportRequest): Promise<ImportOutcome> {
  const rows = await db.query(
    "select private.import_people($1::uuid, $2::uuid, $3::text, $4::text::jsonb, $5::boolean, $6::boolean) as outcome",
    [request.actor, request.workspace, request.kind, json(request.lines), request.write, request.skip],
  );
  return parseOne(z.object({ outcome }), rows, "import_people").outcome;
}
