import { type CellValue, unfit } from "./importCells.ts";
import type { Column, ImportKind } from "./importColumns.ts";
import { type CsvLine, type LineError, readCsv } from "./importCsv.ts";

/** A line whose cells mean something each; whether the workspace knows what they name is for the database to say. */
export interface ImportLine {
  line: number;
  cells: Record<string, CellValue | null>;
}

export interface ImportFile {
  /** Lines with something in them, right or wrong. */
  rows: number;
  lines: ImportLine[];
  errors: LineError[];
  /** The file as a whole cannot be used, so nothing of it is. */
  unusable: boolean;
}

export function readImport(csv: string, kind: ImportKind): ImportFile {
  const file = readCsv(csv);
  const errors = file.errors.length > 0 ? file.errors : checkHeader(file.header, kind);
  if (errors.length > 0) return { rows: file.lines.length, lines: [], errors, unusable: true };
  const read = file.lines.map((line) => readLine(line, file.header, kind));
  return {
    rows: read.length,
    lines: read.flatMap(({ line, errors }) => (errors.length === 0 ? [line] : [])),
    errors: read.flatMap(({ errors }) => errors),
    unusable: false,
  };
}

function checkHeader(header: readonly string[], { columns }: ImportKind): LineError[] {
  const known = Object.keys(columns);
  const fault = (column: string, message: string): LineError => ({ line: 1, column, message });
  if (header.some((column) => unfit(column) !== null))
    return [
      { line: 1, column: null, message: "The header has characters that cannot be printed. Save the file as UTF-8." },
    ];
  const nameless = header.flatMap((column, at) => (column === "" ? [at + 1] : []));
  const unknown = header.filter((column) => column !== "" && !known.includes(column));
  const twice = header.filter((column, at) => column !== "" && header.indexOf(column) < at);
  const missing = known.filter((column) => columns[column]?.required === true && !header.includes(column));
  return [
    ...unknown.map((column) =>
      fault(column, `"${column}" is no column of this file. It may have ${known.join(", ")}.`),
    ),
    ...nameless.map((at) => fault("", `Column ${at} has no name. Remove it, or name it.`)),
    ...twice.map((column) => fault(column, `The column "${column}" is there twice.`)),
    ...missing.map((column) => fault(column, `The column "${column}" is missing.`)),
  ];
}

function readLine({ line, cells }: CsvLine, header: readonly string[], kind: ImportKind) {
  const wrong = (column: string | null, message: string) => ({ line, column, message });
  if (cells.length !== header.length)
    return {
      line: { line, cells: {} },
      errors: [wrong(null, `This line has ${cells.length} cells, the header has ${header.length}.`)],
    };
  const read: Record<string, CellValue | null> = {};
  const errors: LineError[] = [];
  for (const [at, column] of header.entries()) {
    const cell = readCell(cells[at] ?? "", kind.columns[column] as Column);
    if ("wrong" in cell) errors.push(wrong(column, cell.wrong));
    else if (cell.value !== undefined) read[column] = cell.value;
  }
  if (errors.length === 0)
    errors.push(...(kind.check?.(read) ?? []).map(({ column, message }) => wrong(column, message)));
  return { line: { line, cells: read }, errors };
}

/** undefined: the line says nothing of this column; null: it empties it. */
function readCell(cell: string, { read, required, keeps }: Column) {
  const wrong = unfit(cell);
  if (wrong !== null) return { wrong };
  if (cell !== "") return read(cell);
  if (required === true) return { wrong: "This may not be empty." };
  return { value: keeps === true ? undefined : null };
}
