import { type CellReader, day, email, list, number, oneOf, text, yesNo } from "./importCells.ts";
import type { LineError } from "./importCsv.ts";

export interface Column {
  read: CellReader;
  /** Every file has it and every line fills it. */
  required?: boolean;
  /** An empty cell says nothing; elsewhere it empties the column. */
  keeps?: boolean;
}

export interface ImportKind {
  columns: Readonly<Record<string, Column>>;
  /** What only several cells together can get wrong. Only cells that were read are given. */
  check?: (cells: Readonly<Record<string, unknown>>) => Omit<LineError, "line">[];
}

const name = text(255);
const LEVELS = ["junior", "mid", "senior", "lead", "principal"];

/** The files that can be imported. A column is named as in the table, but for what is looked up. */
export const IMPORT_KINDS = {
  employees: {
    columns: {
      name: { read: name, required: true },
      external_id: { read: name },
      email: { read: email },
      title: { read: name },
      location: { read: name },
      team: { read: text(100) },
      calendar: { read: text(100) },
      fte: { read: number({ from: 0, to: 1, above: true }), keeps: true },
      employed_from: { read: day, keeps: true },
      employed_to: { read: day },
      tags: { read: list, keeps: true },
    },
    check: (cells) => [
      ...unless(
        isFilled(cells.external_id) || isFilled(cells.email),
        "external_id",
        "Give an external id or an e-mail, by which the person is found again.",
      ),
      ...endAfterStart(cells.employed_from, cells.employed_to, "employed_to", "Employment"),
    ],
  },
  skills: {
    columns: {
      employee: { read: name, required: true },
      skill: { read: text(100), required: true },
      level: { read: oneOf(LEVELS) },
      years: { read: number({ from: 0, to: 60 }) },
      is_primary: { read: yesNo, keeps: true },
    },
  },
  allocations: {
    columns: {
      employee: { read: name, required: true },
      project: { read: name },
      deal: { read: name },
      start_date: { read: day, required: true },
      end_date: { read: day },
      percentage: { read: number({ from: 1, to: 100, whole: true }), keeps: true },
      status: { read: oneOf(["firm", "tentative"]), keeps: true },
      note: { read: text(2_000) },
    },
    check: (cells) => [
      ...unless(
        !isFilled(cells.project) || !isFilled(cells.deal),
        "deal",
        "Time is promised to a project or to a deal, not to both.",
      ),
      ...endAfterStart(cells.start_date, cells.end_date, "end_date", "An allocation"),
    ],
  },
} as const satisfies Record<string, ImportKind>;

export type ImportKindName = keyof typeof IMPORT_KINDS;

const isFilled = (cell: unknown) => cell !== undefined && cell !== null;

const unless = (right: boolean, column: string, message: string) => (right ? [] : [{ column, message }]);

function endAfterStart(start: unknown, end: unknown, column: string, what: string) {
  const right = typeof start !== "string" || typeof end !== "string" || start <= end;
  return unless(right, column, `${what} cannot end before it begins.`);
}
