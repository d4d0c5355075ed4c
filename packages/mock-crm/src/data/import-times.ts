import { stamp } from "../salesforce/row.ts";

const IMPORT_START = Date.parse("2024-03-01T08:00:00Z");
const ROWS_PER_SECOND = 200;

/** When the n-th row came in with an import of 200 rows a second: many rows share each second, as real imports do. */
export function importedAt(index: number): string {
  return stamp(IMPORT_START + Math.floor(index / ROWS_PER_SECOND) * 1000);
}

/** Salesforce's audit fields for a row that came with the import. */
export function auditOf(index: number, userId: string) {
  const at = importedAt(index);
  return {
    CreatedDate: at,
    CreatedById: userId,
    LastModifiedDate: at,
    LastModifiedById: userId,
    SystemModstamp: at,
  };
}

/** The same instants for CRMs that count in milliseconds. */
export function importedAtMs(index: number): number {
  return IMPORT_START + Math.floor((index * 1000) / ROWS_PER_SECOND);
}
