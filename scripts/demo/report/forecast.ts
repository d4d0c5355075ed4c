import * as Plot from "@observablehq/plot";
import { drawChart } from "./chart.ts";
import type { Band, ForecastMonth, RevenueOutlook } from "./data.ts";
import type { Section } from "./section.ts";
import { count, money, monthName, shortMoney } from "./words.ts";

const LEGEND = {
  band: { colour: "var(--band)", text: "P10 to P90 of the deals in the pipeline: eight of ten runs" },
  middle: { colour: "var(--middle)", text: "their P50: half of the runs bring more" },
  withNew: { colour: "var(--new)", text: "P10 to P90 and P50 with deals that are not entered yet" },
  closed: { colour: "var(--won)", text: "closed already" },
  weighted: { colour: "var(--naive)", text: "value × probability of the deals with a closing day" },
};

/** What each month may bring: the band that holds eight of ten runs, its middle, and what adding up says. */
export function forecastSection({ periods, total, runs, seed }: RevenueOutlook, currency: string): Section {
  const { withNew } = total;
  const lead = `${count(runs)} simulated runs (seed ${seed}) of ${periods.length} months: the deals in the pipeline bring ${inWords(total, currency)}; with deals that nobody has entered yet it is ${inWords(withNew, currency)}. The months do not add up to that, because a bad one may be followed by a good one.`;
  const dated = periods.some(({ weighted, closed }) => weighted > closed);
  const closed = periods.some((month) => month.closed > 0);
  return {
    id: "forecast",
    title: "Revenue by month",
    lead,
    chart: drawForecast(periods, currency, lead, dated),
    legend: [
      LEGEND.band,
      LEGEND.middle,
      LEGEND.withNew,
      ...(closed ? [LEGEND.closed] : []),
      ...(dated ? [LEGEND.weighted] : []),
    ],
    table: {
      head: ["Month", "Closed", "P10", "P50", "P90", "P10 with new", "P50 with new", "P90 with new"],
      rows: periods.map(({ period, closed, p10, p50, p90, withNew: all }) => [
        monthName(period),
        ...[closed, p10, p50, p90, all.p10, all.p50, all.p90].map((value) => money(value, currency)),
      ]),
    },
  };
}

const inWords = ({ p10, p50, p90 }: Band, currency: string) =>
  `${shortMoney(p50, currency)} (P10 ${shortMoney(p10, currency)}, P90 ${shortMoney(p90, currency)})`;

const monthOf = ({ period }: ForecastMonth) => monthName(period);
const withNew = (name: keyof Band) => (month: ForecastMonth) => month.withNew[name];

function drawForecast(
  periods: readonly ForecastMonth[],
  currency: string,
  description: string,
  dated: boolean,
): string {
  const weighted = Plot.dot(periods, {
    x: monthOf,
    y: "weighted",
    symbol: "diamond",
    r: 5,
    fill: "var(--naive)",
    stroke: "var(--paper)",
  });
  return drawChart(
    {
      height: 380,
      marginLeft: 70,
      marginTop: 30,
      x: { label: null, domain: periods.map(monthOf) },
      y: { label: "Revenue", grid: true, zero: true, tickFormat: (value: number) => shortMoney(value, currency) },
      marks: [
        ...marksOfPipeline(periods, currency),
        ...bandsWithNew(periods, currency),
        ...(dated ? [weighted] : []),
        labelsWithNew(periods, currency),
        Plot.ruleY([0]),
      ],
    },
    { label: "Revenue by month with its P10 to P90 band", description },
  );
}

const marksOfPipeline = (periods: readonly ForecastMonth[], currency: string) => [
  Plot.barY(periods, {
    x: monthOf,
    y1: "p10",
    y2: "p90",
    fill: "var(--band)",
    title: (month) => words(month, currency),
  }),
  Plot.barY(periods, { x: monthOf, y: "closed", fill: "var(--won)", insetLeft: 18, insetRight: 18 }),
  Plot.tickY(periods, { x: monthOf, y: "p50", stroke: "var(--middle)", strokeWidth: 3 }),
];

const bandsWithNew = (periods: readonly ForecastMonth[], currency: string) => [
  Plot.barY(periods, {
    x: monthOf,
    y1: withNew("p10"),
    y2: withNew("p90"),
    fill: "none",
    stroke: "var(--new)",
    strokeWidth: 1.5,
    strokeDasharray: "5 4",
    title: (month) => words({ ...month, ...month.withNew }, currency),
  }),
  Plot.tickY(periods, { x: monthOf, y: withNew("p50"), stroke: "var(--new)", strokeWidth: 2 }),
];

const labelsWithNew = (periods: readonly ForecastMonth[], currency: string) =>
  Plot.text(periods, {
    x: monthOf,
    y: withNew("p50"),
    text: ({ withNew: { p50 } }: ForecastMonth) => shortMoney(p50, currency),
    dy: -10,
    fill: "currentColor",
    stroke: "var(--paper)",
    strokeWidth: 4,
  });

function words({ period, p10, p50, p90 }: ForecastMonth, currency: string): string {
  return `${monthName(period)}: P50 ${money(p50, currency)}, P10 ${money(p10, currency)}, P90 ${money(p90, currency)}`;
}
