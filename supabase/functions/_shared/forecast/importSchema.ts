import { z } from "zod";
import { IMPORT_KINDS, type ImportKindName } from "./importColumns.ts";

/** Of the body: a file of some ten thousand lines. */
export const IMPORT_BODY_LIMIT = 1024 * 1024;
export const importInput = z.strictObject({
  workspace_id: z.uuid(),
  kind: z.enum(Object.keys(IMPORT_KINDS) as [ImportKindName, ...ImportKindName[]]),
  csv: z.string().min(1, "The file is empty."),
  /** Says what would happen, and writes nothing. */
  dry_run: z.boolean().default(true),
  /** stop: one wrong line, and nothing is written. skip: the right ones are. */
  mode: z.enum(["stop", "skip"]).default("stop"),
});
export type ImportInput = z.infer<typeof importInput>;
