import Table from "cli-table3";
import pc from "picocolors";
import type { PipelineTotals } from "./summary.ts";

const BAR_WIDTH = 24;
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const formatMoney = (value: number) => `$${whole.format(value)}`;
export const formatCount = (value: number) => whole.format(value);

function bar(share: number): string {
  const filled = Math.round(share * BAR_WIDTH);
  return pc.green("█".repeat(filled)) + pc.dim("░".repeat(BAR_WIDTH - filled));
}

/** The pipeline as a table: a row per stage with its count, value, weighted value and a small bar, then the totals. */
export function renderPipeline(title: string, totals: PipelineTotals): string {
  const most = Math.max(1, ...totals.by_stage.map((stage) => stage.opportunities));
  const table = new Table({
    head: ["Stage", "Deals", "Value", "Weighted", ""].map((text) => pc.bold(text)),
    colAligns: ["left", "right", "right", "right", "left"],
    style: { head: [], border: pc.isColorSupported ? ["gray"] : [], compact: true },
  });
  for (const stage of totals.by_stage) {
    table.push([
      stage.label,
      formatCount(stage.opportunities),
      formatMoney(stage.value),
      formatMoney(stage.weighted_value),
      bar(stage.opportunities / most),
    ]);
  }
  const sum = (pick: (stage: PipelineTotals["by_stage"][number]) => number) =>
    totals.by_stage.reduce((total, stage) => total + pick(stage), 0);
  table.push([
    pc.bold("Total"),
    formatCount(sum((stage) => stage.opportunities)),
    formatMoney(sum((stage) => stage.value)),
    formatMoney(sum((stage) => stage.weighted_value)),
    totals.win_rate === null
      ? "nothing closed yet"
      : `win rate ${pc.bold(`${totals.win_rate.toFixed(2)} %`)} of closed`,
  ]);
  return `${pc.bold(title)}\n${table.toString()}`;
}
