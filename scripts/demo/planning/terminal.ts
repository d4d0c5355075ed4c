import Table from "cli-table3";
import pc from "picocolors";
import type { Band, CapacityMap, FunnelStage, HiringRow, PlanningReport, RevenueOutlook } from "../report/data.ts";
import { LOAD_NAMES, type LoadLevel, levelOf, loadOf, loadText } from "../report/load.ts";
import { count, dayName, money, monthName, shortMoney } from "../report/words.ts";

/** What the tables need beside their drawing. */
const BESIDE = 54;

/** The report for a terminal of so many columns, 78 at least. Says the same without colours. */
export function renderTerminal(report: PlanningReport, columns: number): string {
  const { funnel, forecast, capacity, hiring, currency, asOf } = report;
  const drawing = Math.min(60, Math.max(16, columns - BESIDE));
  return [
    heading("Funnel"),
    renderFunnel(funnel, currency, drawing),
    heading(`Revenue by month, as of ${asOf}`),
    renderForecast(forecast, currency, drawing),
    heading("Load by skill and week, in per cent of the hours there are"),
    renderCapacity(capacity, columns),
    heading("People to hire"),
    renderHiring(hiring),
  ].join("\n");
}

const heading = (text: string) => `\n${pc.bold(text)}`;

function tableOf(head: readonly string[], left = 1): Table.Table {
  return new Table({
    head: head.map((text) => pc.bold(text)),
    colAligns: head.map((_, at) => (at < left ? "left" : "right")),
    style: { head: [], border: pc.isColorSupported ? ["gray"] : [], compact: true },
  });
}

function renderFunnel(stages: readonly FunnelStage[], currency: string, width: number): string {
  const most = Math.max(1, ...stages.map(({ deals }) => deals));
  const table = tableOf(["Stage", "", "Deals", "Value", "Weighted"], 2);
  for (const { label, kind, deals, value, weighted } of stages.filter(({ deals }) => deals > 0)) {
    const filled = "█".repeat(Math.max(1, Math.round((deals / most) * width)));
    const colour = kind === "won" ? pc.green : kind === "lost" ? pc.red : pc.blue;
    table.push([label, colour(filled), count(deals), money(value, currency), money(weighted, currency)]);
  }
  return table.toString();
}

function renderForecast({ periods, total, runs, seed }: RevenueOutlook, currency: string, width: number): string {
  const most = Math.max(1, ...periods.flatMap(({ p90, withNew }) => [p90, withNew.p90]));
  const table = tableOf(["Month", "Deals", "P10 ░ P50 ┃ P90", "P10", "P50", "P90"], 3);
  const numbers = ({ p10, p50, p90 }: Band) => [p10, p50, p90].map((value) => shortMoney(value, currency));
  for (const { period, withNew, ...own } of periods) {
    table.push([monthName(period), "pipeline", band(own, most, width, pc.cyan), ...numbers(own)]);
    table.push(["", "and new", band(withNew, most, width, pc.magenta), ...numbers(withNew)]);
  }
  table.push([pc.bold("Together"), "pipeline", pc.dim(`${count(runs)} runs, seed ${seed}`), ...numbers(total)]);
  table.push(["", "and new", "", ...numbers(total.withNew)]);
  return table.toString();
}

/** From P10 to P90 on a common scale, P50 marked. */
function band({ p10, p50, p90 }: Band, most: number, width: number, paint: (text: string) => string): string {
  const place = (value: number) => Math.round((value / most) * (width - 1));
  return Array.from({ length: width }, (_, at) => {
    if (at === place(p50)) return pc.bold(paint("┃"));
    return at >= place(p10) && at <= place(p90) ? paint("░") : " ";
  }).join("");
}

const PAINT: Record<LoadLevel, (text: string) => string> = {
  0: (text) => pc.dim(text),
  1: (text) => pc.green(text),
  2: (text) => pc.yellow(text),
  3: (text) => pc.black(pc.bgYellow(text)),
  4: (text) => pc.white(pc.bgRed(text)),
};
const WIDTH = 4;

/** In blocks of as many weeks as the window has room for. */
function renderCapacity({ weeks, skills }: CapacityMap, columns: number): string {
  const names = Math.max(0, ...skills.map(({ skill }) => skill.length));
  const room = Math.max(1, Math.floor((columns - names - 4) / WIDTH));
  const size = Math.ceil(weeks.length / Math.ceil(weeks.length / room));
  const blocks = Array.from({ length: Math.ceil(weeks.length / size) }, (_, at) => {
    const [from, to] = [at * size, (at + 1) * size];
    return renderWeeks(
      weeks.slice(from, to),
      skills.map((one) => ({ ...one, weeks: one.weeks.slice(from, to) })),
      names,
    );
  });
  const key = LOAD_NAMES.map((name, level) => PAINT[level as LoadLevel](` ${name} `)).join(" ");
  return [...blocks, `  ${key}`].join("\n");
}

function renderWeeks(weeks: readonly string[], skills: CapacityMap["skills"], names: number): string {
  const months = weeks.map((week, at) => (at === 0 || week.slice(5, 7) !== weeks[at - 1]?.slice(5, 7) ? week : ""));
  const line = (name: string, cells: readonly string[]) => `  ${name.padEnd(names)} ${cells.join("")}`;
  const top = months.map((week) => (week === "" ? "" : (dayName(week).split(" ")[1] ?? "")).padStart(WIDTH));
  const days = weeks.map((week) => String(Number(week.slice(8, 10))).padStart(WIDTH));
  const rows = skills.map(({ skill, weeks: loads }) =>
    line(
      skill,
      loads.map((hours) => {
        const load = loadOf(hours);
        return load === null ? "·".padStart(WIDTH) : PAINT[levelOf(load)](loadText(load).padStart(WIDTH));
      }),
    ),
  );
  return [line("", top), line("", days), ...rows].join("\n");
}

function renderHiring(hiring: readonly HiringRow[]): string {
  if (hiring.length === 0) return "  Nobody is missing for long enough to hire for.";
  const table = tableOf(["Skill", "Level", "People", "Needed by", "Open the position by"], 2);
  for (const { skill, level, people, neededBy, openBy, late } of hiring)
    table.push([skill, level ?? "any", people, neededBy, late ? pc.red(`${openBy} (has passed)`) : openBy]);
  return table.toString();
}
