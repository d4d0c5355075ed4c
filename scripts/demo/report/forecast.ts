import * as Plot from "@observablehq/plot";
import { drawChart } from "./chart.ts";
import type { ForecastMonth, RevenueOutlook } from "./data.ts";
import type { Section } from "./section.ts";
import { count, money, monthName, shortMoney } from "./words.ts";

/** What each month may bring: the band that holds eight of ten runs, its middle, and what adding up says. */
export function forecastSection({ periods, total, runs, seed }: RevenueOutlook, currency: string): Section {
  const middle = `${money(total.p50, currency)} in ${periods.length} months (P10 ${money(total.p10, currency)}, P90 ${money(total.p90, currency)})`;
  return {
    id: "forecast",
    title: "Revenue by month",
    lead: `The middle of ${count(runs)} simulated runs (seed ${seed}): ${middle}. Months do not add up to it, because a bad month may follow a good one.`,
    chart: drawForecast(periods, currency, middle),
    legend: [
      { colour: "var(--band)", text: "P10 to P90: eight of ten runs" },
      { colour: "var(--middle)", text: "P50: half of the runs bring more" },
      { colour: "var(--won)", text: "closed already" },
      { colour: "var(--naive)", text: "value × probability" },
    ],
    table: {
      head: ["Month", "Closed", "P10", "P50", "P90", "Value × probability"],
      rows: periods.map(({ period, closed, p10, p50, p90, weighted }) => [
        monthName(period),
        ...[closed, p10, p50, p90, weighted].map((value) => money(value, currency)),
      ]),
    },
  };
}

function drawForecast(periods: readonly ForecastMonth[], currency: string, description: string): string {
  const x = ({ period }: ForecastMonth) => monthName(period);
  return drawChart(
    {
      height: 360,
      marginLeft: 70,
      x: { label: null, domain: periods.map(x) },
      y: { label: "Revenue", grid: true, zero: true, tickFormat: (value: number) => shortMoney(value, currency) },
      marks: [
        Plot.barY(periods, { x, y1: "p10", y2: "p90", fill: "var(--band)", title: (month) => words(month, currency) }),
        Plot.barY(periods, { x, y: "closed", fill: "var(--won)", insetLeft: 18, insetRight: 18 }),
        Plot.tickY(periods, { x, y: "p50", stroke: "var(--middle)", strokeWidth: 3 }),
        Plot.dot(periods, { x, y: "weighted", symbol: "diamond", r: 5, fill: "var(--naive)", stroke: "var(--paper)" }),
        Plot.text(periods, {
          x,
          y: "p50",
          text: ({ p50 }: ForecastMonth) => shortMoney(p50, currency),
          dy: -10,
          fill: "currentColor",
        }),
        Plot.ruleY([0]),
      ],
    },
    { label: "Revenue by month with its P10 to P90 band", description },
  );
}

function words({ period, p10, p50, p90 }: ForecastMonth, currency: string): string {
  return `${monthName(period)}: P50 ${money(p50, currency)}, P10 ${money(p10, currency)}, P90 ${money(p90, currency)}`;
}
