import * as Plot from "@observablehq/plot";
import { drawChart } from "./chart.ts";
import type { FunnelStage } from "./data.ts";
import type { Section } from "./section.ts";
import { count, money } from "./words.ts";

const COLOURS = { open: "var(--open)", on_hold: "var(--quiet)", won: "var(--won)", lost: "var(--lost)" } as const;

/** How many deals stand where. */
export function funnelSection(stages: readonly FunnelStage[], currency: string): Section {
  const shown = stages.filter(({ deals }) => deals > 0);
  const words = shown.map(({ label, deals }) => `${label} ${count(deals)}`).join(", ");
  return {
    id: "funnel",
    title: "Funnel",
    lead: `${count(shown.reduce((sum, { deals }) => sum + deals, 0))} deals by the stage in which they are: ${words}.`,
    chart: drawFunnel(shown, words, currency),
    legend: [],
    table: {
      head: ["Stage", "Deals", "Value", "Weighted value"],
      rows: shown.map(({ label, deals, value, weighted }) => [
        label,
        count(deals),
        money(value, currency),
        money(weighted, currency),
      ]),
    },
  };
}

function drawFunnel(stages: readonly FunnelStage[], description: string, currency: string): string {
  const bars = Plot.barX(stages, {
    x: "deals",
    y: "label",
    fill: { value: ({ kind }: FunnelStage) => COLOURS[kind], scale: null },
    title: ({ label, deals, value }: FunnelStage) => `${label}: ${count(deals)} deals, ${money(value, currency)}`,
  });
  const counts = Plot.text(stages, {
    x: "deals",
    y: "label",
    text: ({ deals }: FunnelStage) => count(deals),
    textAnchor: "start",
    dx: 6,
    fill: "currentColor",
  });
  return drawChart(
    {
      height: 50 + 44 * stages.length,
      marginLeft: 120,
      marginRight: 70,
      x: { label: "Deals", grid: true, tickFormat: count },
      y: { label: null, domain: stages.map(({ label }) => label) },
      marks: [bars, counts, Plot.ruleX([0])],
    },
    { label: "Deals by stage", description },
  );
}
