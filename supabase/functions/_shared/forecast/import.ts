import { type ImportCounts, importPeople } from "../db/sql/imports.ts";
import type { Db } from "../db/types.ts";
import { IMPORT_KINDS, type ImportKind, type ImportKindName } from "./importColumns.ts";
import type { LineError } from "./importCsv.ts";
import { readImport } from "./importLines.ts";
import type { ImportInput } from "./importSchema.ts";

/** Of one answer; the rest is counted. */
const MAX_ERRORS = 1_000;

export interface ImportAnswer extends ImportCounts {
  kind: ImportKindName;
  rows: number;
  /** Whether the counts came true, or would have. */
  written: boolean;
  /** In the order of the file. */
  errors: LineError[];
  /** Errors that are not in the list. */
  more_errors: number;
}

/** A file of people, of their skills or of their allocations: all of it is checked before any of it is written. */
export async function importFile(
  { workspace_id, kind, csv, dry_run, mode }: ImportInput,
  caller: { id: string },
  db: Db,
): Promise<ImportAnswer> {
  const file = readImport(csv, IMPORT_KINDS[kind] satisfies ImportKind);
  const found = await importPeople(db, {
    actor: caller.id,
    workspace: workspace_id,
    kind,
    lines: file.lines,
    write: !dry_run && !file.unusable && (mode === "skip" || file.errors.length === 0),
    skip: mode === "skip",
  });
  const errors = [...file.errors, ...found.errors].sort((a, b) => a.line - b.line);
  const { inserted, updated, unchanged } = found;
  return {
    kind,
    rows: file.rows,
    inserted,
    updated,
    unchanged,
    written: found.written,
    errors: errors.slice(0, MAX_ERRORS),
    more_errors: Math.max(0, errors.length - MAX_ERRORS),
  };
}
