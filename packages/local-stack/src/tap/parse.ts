export interface TapTest {
  ok: boolean;
  number: number;
  name: string;
  /** "TODO …" or "SKIP …" when the test says so. */
  directive: string | null;
  diagnostics: string[];
}

export interface TapOutput {
  planned: number | null;
  skippedAll: boolean;
  tests: TapTest[];
  /** Lines that are no TAP, and diagnostics before the first test. */
  notes: string[];
}

/** Reads the lines that pgTAP returns as rows. A row may hold several lines. */
export function parseTap(rows: readonly string[]): TapOutput {
  const output: TapOutput = { planned: null, skippedAll: false, tests: [], notes: [] };
  for (const line of rows.flatMap((row) => row.split("\n"))) {
    const plan = line.match(/^1\.\.(\d+)(\s*#\s*skip.*)?$/i);
    const test = line.match(/^(not )?ok\s+(\d+)(?:\s*-?\s*(.*))?$/);
    const comment = line.match(/^\s*#\s?(.*)$/);
    if (plan) {
      output.planned = Number(plan[1]);
      output.skippedAll = plan[1] === "0" || plan[2] !== undefined;
    } else if (test) {
      output.tests.push(toTest(test));
    } else if (line.trim() !== "") {
      (output.tests.at(-1)?.diagnostics ?? output.notes).push(comment?.[1] ?? line);
    }
  }
  return output;
}

function toTest([, not, number, rest = ""]: RegExpMatchArray): TapTest {
  const [, name = rest, directive = null] = rest.match(/^(.*?)\s*#\s*((?:TODO|SKIP)\b.*)$/i) ?? [];
  return { ok: not === undefined, number: Number(number), name, directive, diagnostics: [] };
}

/** Why the file as a whole failed; empty when it passed. */
export function judge({ planned, tests, skippedAll }: TapOutput): string[] {
  const problems: string[] = [];
  if (skippedAll) problems.push("the whole file is skipped");
  if (planned === null) problems.push("no plan: the file must call plan(n) or no_plan() and finish()");
  else if (planned !== tests.length) problems.push(`planned ${planned} tests but ran ${tests.length}`);
  for (const test of tests) {
    if (!test.ok && !test.directive?.toUpperCase().startsWith("TODO"))
      problems.push(`not ok ${test.number} - ${test.name}`);
    if (test.directive?.toUpperCase().startsWith("SKIP")) problems.push(`skipped: ${test.number} - ${test.name}`);
  }
  return problems;
}
