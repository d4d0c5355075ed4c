/** Prints one JSON line per figure; a missed target makes the command fail. */
export function report(line: Record<string, unknown> & { ok: boolean }): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (!line.ok) process.exitCode = 1;
}

export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

/** The value below which the given share of the sample lies. */
export function percentile(sample: readonly number[], share: number): number {
  const sorted = [...sample].sort((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1));
  const value = sorted[at];
  if (value === undefined) throw new Error("A percentile of nothing.");
  return value;
}
