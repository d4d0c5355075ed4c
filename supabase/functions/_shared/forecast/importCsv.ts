import { CsvError, parse } from "csv-parse/sync";

/** What is wrong with a file, and where: lines are counted as an editor does, the header is line 1. */
export interface LineError {
  line: number;
  column: string | null;
  message: string;
}

export interface CsvLine {
  /** Where the line begins: a cell may go over several. */
  line: number;
  cells: string[];
}

export interface CsvFile {
  header: string[];
  lines: CsvLine[];
  /** Not empty: this is no file that can be read. */
  errors: LineError[];
}

export const MAX_LINES = 100_000;
const MAX_LINE_LENGTH = 20_000;

/** Reads commas, semicolons or tabs, with or without a byte order mark, with any line ends. */
export function readCsv(text: string): CsvFile {
  const plain = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  const seen = { end: 0 };
  try {
    const [head, ...lines] = recordsOf(plain, seen);
    if (head === undefined) return unreadable(1, "The file is empty. Its first line names the columns.");
    const surplus = lines[MAX_LINES];
    if (surplus !== undefined)
      return unreadable(surplus.line, `A file has at most ${MAX_LINES.toLocaleString("en")} lines. Split this one.`);
    return { header: head.cells.map(columnName), lines, errors: [] };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return explain(error, seen.end + 1);
  }
}

function recordsOf(plain: string, seen: { end: number }): CsvLine[] {
  const found: CsvLine[] = [];
  parse(plain, {
    delimiter: delimiterOf(plain),
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_LINE_LENGTH,
    on_record: (cells: string[], { lines }) => {
      seen.end = lines;
      if (cells.some((cell) => cell.trim() !== ""))
        found.push({ line: lines - newlinesIn(cells), cells: cells.map((cell) => cell.trim()) });
      return null;
    },
  });
  return found;
}

const newlinesIn = (cells: readonly string[]) => cells.reduce((sum, cell) => sum + cell.split("\n").length - 1, 0);

/** Whichever of the three the header has most of. */
function delimiterOf(text: string): string {
  const header = text.trimStart().split("\n", 1)[0] ?? "";
  const uses = (sign: string) => header.split(sign).length;
  return [",", ";", "\t"].reduce((best, sign) => (uses(sign) > uses(best) ? sign : best));
}

/** `Employed from` is employed_from. */
const columnName = (text: string) => text.toLowerCase().replaceAll(/[\s-]+/g, "_");

const ADVICE: Record<string, string> = {
  CSV_QUOTE_NOT_CLOSED: "A quote opens here or below and is never closed.",
  CSV_INVALID_CLOSING_QUOTE: "A quote ends in the middle of a cell. Double a quote that belongs to the text.",
  INVALID_OPENING_QUOTE:
    "A quote stands in the middle of a cell. Put the whole cell in quotes and double the inner one.",
  CSV_MAX_RECORD_SIZE: "This line is too long. A quote may be open that was never closed.",
};
const AT_LAST_END = new Set(["CSV_QUOTE_NOT_CLOSED", "CSV_MAX_RECORD_SIZE"]);

function explain(error: CsvError, next: number): CsvFile {
  const line = AT_LAST_END.has(error.code) ? next : Number((error as { lines?: unknown }).lines ?? next);
  return unreadable(line, ADVICE[error.code] ?? "This line cannot be read as CSV.");
}

function unreadable(line: number, message: string): CsvFile {
  return { header: [], lines: [], errors: [{ line, column: null, message }] };
}
