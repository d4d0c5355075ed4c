import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import { z } from "zod";
import { StartError } from "../shared/start-error.ts";

export const DEFAULT_DATA_FOLDER = fileURLToPath(new URL("../../data/maven-crm-sales", import.meta.url));

/** Reads one CSV file against its expected columns; cells stay text, as they are in the file. */
export function readCsv<S extends z.ZodObject>(folder: string, name: string, columns: S): z.infer<S>[] {
  const path = join(folder, name);
  const rows: unknown = parseText(path, readText(path));
  const checked = z.array(columns).min(1).safeParse(rows);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const where = issue === undefined ? "" : ` (row ${issue.path.join(", column ") || "1"}: ${issue.message})`;
  throw new StartError(
    `The data file ${path} does not have the columns it should have${where}; restore it from the repository.`,
  );
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new StartError(`The data file ${path} is missing or unreadable; restore it from the repository.`, cause);
  }
}

function parseText(path: string, text: string): unknown {
  try {
    return parse(text, { columns: true, bom: true, skip_empty_lines: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`The data file ${path} is not valid CSV: ${reason}.`, cause);
  }
}
