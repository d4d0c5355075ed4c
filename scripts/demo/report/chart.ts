import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

export const WIDTH = 960;

export interface Words {
  /** What it is, for those who cannot see it. */
  label: string;
  /** What it says. */
  description: string;
}

/** One chart as SVG text. Plot needs a document to draw in; linkedom's is one without a browser. */
export function drawChart(options: Plot.PlotOptions, { label, description }: Words): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const chart = Plot.plot({
    ...options,
    document: document as unknown as Document,
    width: WIDTH,
    ariaLabel: label,
    ariaDescription: description,
    style: { fontFamily: "inherit", fontSize: "13px" },
  });
  chart.setAttribute("role", "img");
  return chart.outerHTML;
}
