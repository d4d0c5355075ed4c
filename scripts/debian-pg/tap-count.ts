/** Counts assertions in pg_prove's verbose output, and passes on every line that is not merely a passing one. */
export class TapCount {
  passed = 0;
  failed = 0;
  readonly #show: (line: string) => void;

  constructor(show: (line: string) => void) {
    this.#show = show;
  }

  take(line: string): void {
    const [, not, directive = ""] = line.match(/^(not )?ok \d+(?:.*# (TODO|SKIP))?/i) ?? [line, "no test"];
    // As everywhere here, a skipped test counts as failed; a TODO is expected to fail.
    const ok = directive.toUpperCase() === "TODO" || (not === undefined && directive === "");
    if (not === "no test") {
      // pg_prove's verdict on a file that passed, and the plan, say nothing new.
      if (line.trim() !== "" && !/^(1\.\.\d+|ok)$/.test(line)) this.#show(line);
    } else if (ok) this.passed += 1;
    else {
      this.failed += 1;
      this.#show(line);
    }
  }
}
