import type { Day } from "../time/days.ts";
import type { Periods } from "../time/periods.ts";
import { periodOf } from "../time/periods.ts";
import type { Cents } from "./money.ts";

/** The three sums that sales people know, and what is closed already. */
export interface ForecastLine {
  closed: Cents;
  commit: Cents;
  best: Cents;
  weighted: Cents;
}

export interface LineDeal {
  value: Cents;
  rate: number;
  closeDay: Day | null;
  kind: "open" | "won";
}

export interface LineRules {
  /** From this rate on a deal is as good as promised. */
  commitFrom: number;
  /** Below this rate a deal is left out altogether (confidenceThreshold). */
  countFrom: number;
}

export interface ForecastLines {
  periods: ForecastLine[];
  total: ForecastLine;
  /** Open deals without an expected closing day: in no period and in no total. */
  undated: { deals: number; value: Cents };
  /** Open deals whose day has passed: they count in the first period. */
  overdue: { deals: number; value: Cents };
}

/**
 * closed: won in the period. commit: closed and open deals of at least `commitFrom`. best: closed and all open deals
 * that count. weighted: closed and value × rate. So closed ≤ commit ≤ best and closed ≤ weighted ≤ best, as long as no
 * value is negative.
 */
export function forecastLines(
  deals: readonly LineDeal[],
  periods: Periods,
  asOf: Day,
  rules: LineRules,
): ForecastLines {
  const rows = Array.from({ length: periods.count }, emptyLine);
  const undated = { deals: 0, value: 0 };
  const overdue = { deals: 0, value: 0 };
  for (const deal of deals) {
    if (deal.kind === "open" && deal.rate < rules.countFrom) continue;
    if (deal.closeDay === null) {
      note(undated, deal);
      continue;
    }
    const late = deal.kind === "open" && deal.closeDay < asOf;
    if (late) note(overdue, deal);
    const row = rows[periodOf(periods, late ? asOf : deal.closeDay)];
    if (row !== undefined) addTo(row, deal, rules);
  }
  return { periods: rows.map(roundLine), total: roundLine(rows.reduce(sumLines, emptyLine())), undated, overdue };
}

function note(into: { deals: number; value: Cents }, { value }: LineDeal): void {
  into.deals++;
  into.value += value;
}

function addTo(row: ForecastLine, { kind, value, rate }: LineDeal, { commitFrom }: LineRules): void {
  if (kind === "won") row.closed += value;
  if (kind === "won" || rate >= commitFrom) row.commit += value;
  row.best += value;
  row.weighted += kind === "won" ? value : value * rate;
}

const emptyLine = (): ForecastLine => ({ closed: 0, commit: 0, best: 0, weighted: 0 });

function sumLines(a: ForecastLine, b: ForecastLine): ForecastLine {
  return {
    closed: a.closed + b.closed,
    commit: a.commit + b.commit,
    best: a.best + b.best,
    weighted: a.weighted + b.weighted,
  };
}

function roundLine(line: ForecastLine): ForecastLine {
  return { ...line, weighted: Math.round(line.weighted) };
}
