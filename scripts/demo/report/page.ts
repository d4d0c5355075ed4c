import { capacitySection } from "./capacity.ts";
import type { HiringRow, PlanningReport } from "./data.ts";
import { forecastSection } from "./forecast.ts";
import { funnelSection } from "./funnel.ts";
import type { Key, Section, Table } from "./section.ts";
import { STYLE } from "./style.ts";
import { escapeHtml } from "./words.ts";

/** The report as one file: no script, no font and no picture from anywhere else. */
export function renderPage(report: PlanningReport): string {
  const sections = [
    funnelSection(report.funnel, report.currency),
    forecastSection(report.forecast, report.currency),
    capacitySection(report.capacity),
  ];
  const title = escapeHtml(report.title);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p class="faint">As of ${escapeHtml(report.asOf)}. ${escapeHtml(report.source)}</p>
${sections.map(renderSection).join("\n")}
${renderHiring(report.hiring)}
</main>
</body>
</html>
`;
}

function renderSection({ id, title, lead, chart, legend, table }: Section): string {
  return `<section aria-labelledby="${id}">
<h2 id="${id}">${escapeHtml(title)}</h2>
<p>${escapeHtml(lead)}</p>
<div class="chart">${chart}</div>
${renderLegend(legend)}
<details><summary>${escapeHtml(title)} as a table</summary>${renderTable(table)}</details>
</section>`;
}

function renderLegend(legend: readonly Key[]): string {
  if (legend.length === 0) return "";
  const keys = legend.map(
    ({ colour, text }) => `<li><span style="background:${colour}"></span>${escapeHtml(text)}</li>`,
  );
  return `<ul class="legend">${keys.join("")}</ul>`;
}

function renderTable({ head, rows }: Table): string {
  const cells = (tag: string, texts: readonly string[]) =>
    texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join("");
  const heads = head.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join("");
  return `<div class="scroll"><table><thead><tr>${heads}</tr></thead><tbody>${rows
    .map((row) => `<tr>${cells("td", row)}</tr>`)
    .join("")}</tbody></table></div>`;
}

function renderHiring(hiring: readonly HiringRow[]): string {
  const rows = hiring.map(({ skill, level, people, neededBy, openBy, late }) => [
    skill,
    level ?? "any",
    String(people),
    neededBy,
    late ? `${openBy} (has passed)` : openBy,
  ]);
  const body =
    rows.length === 0
      ? "<p>Nobody is missing for long enough to hire for.</p>"
      : renderTable({ head: ["Skill", "Level", "People", "Needed by", "Open the position by"], rows });
  return `<section aria-labelledby="hiring"><h2 id="hiring">People to hire</h2>${body}</section>`;
}
