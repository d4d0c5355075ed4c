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
    chart: drawChart(
      {
        height: 50 + 44 * shown.length,
        marginLeft: 120,
        marginRight: 70,
        x: { label: "Deals", grid: true, tickFormat: count },
        y: { label: null, domain: shown.map(({ label }) => label) },
        marks: [
          Plot.barX(shown, {
            x: "deals",
            y: "label",
            fill: { value: ({ kind }: FunnelStage) => COLOURS[kind], scale: null },
            title: ({ label, deals, value }: FunnelStage) =>
              `${label}: ${count(deals)} deals, ${money(value, currency)}`,
          }),
          Plot.text(shown, {
            x: "deals",
            y: "label",
            text: ({ deals }: FunnelStage) => count(deals),
            textAnchor: "start",
            dx: 6,
            fill: "currentColor",
          }),
          Plot.ruleX([0]),
        ],
      },
      { label: "Deals by stage", description: words },
    ),
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
