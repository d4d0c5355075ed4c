import pc from "picocolors";

/** What the lane says while it runs, and the count for its closing line. */
export class Report {
  passed = 0;
  failed = 0;

  step(line: string): void {
    process.stdout.write(`${pc.cyan("▸")} ${line}\n`);
  }

  say(line: string): void {
    process.stdout.write(`  ${line}\n`);
  }

  /** One check of the lane's own; `detail` is shown when it does not hold. */
  check(name: string, ok: boolean, detail = ""): void {
    this.count(ok ? 1 : 0, ok ? 0 : 1);
    this.say(`${ok ? pc.green("✓") : pc.red("✗")} ${name}`);
    if (!ok) for (const line of detail.split("\n").filter((each) => each.trim() !== "")) this.say(`  ${line}`);
  }

  /** Checks that somebody else ran and showed. */
  count(passed: number, failed: number): void {
    this.passed += passed;
    this.failed += failed;
  }

  closingLine(): string {
    return `${this.passed} passed, ${this.failed} failed`;
  }
}
