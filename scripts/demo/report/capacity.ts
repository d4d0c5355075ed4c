import * as Plot from "@observablehq/plot";
import { drawChart } from "./chart.ts";
import type { CapacityMap, WeekLoad } from "./data.ts";
import { LOAD_LIMITS, LOAD_NAMES, type LoadLevel, levelOf, loadOf, loadText } from "./load.ts";
import type { Section } from "./section.ts";
import { dayName } from "./words.ts";

interface Cell {
  skill: string;
  week: string;
  load: number | null;
  hours: WeekLoad;
}

/** Per skill and week: hours promised and likely to be asked for, as a share of the hours there are. */
export function capacitySection({ weeks, skills }: CapacityMap): Section {
  const cells = skills.flatMap(({ skill, weeks: loads }) =>
    loads.map((hours, at): Cell => ({ skill, week: dayName(weeks[at] ?? ""), load: loadOf(hours), hours })),
  );
  const over = cells.filter(({ load }) => load !== null && load > 1).length;
  const lead = `Hours promised and likely to be asked for, in per cent of the hours there are. ${over} of ${cells.length} weeks of a skill are over 100.`;
  return {
    id: "capacity",
    title: "Capacity by skill and week",
    lead,
    chart: drawCapacity(cells, weeks.map(dayName), lead),
    legend: LOAD_NAMES.map((name, level) => ({ colour: `var(--load-${level})`, text: `${range(level)}: ${name}` })),
    table: {
      head: ["Skill", "People", ...weeks.map(dayName)],
      rows: skills.map(({ skill, people, weeks: loads }) => [
        skill,
        String(people),
        ...loads.map((hours) => loadText(loadOf(hours))),
      ]),
    },
  };
}

function drawCapacity(cells: readonly Cell[], weeks: readonly string[], description: string): string {
  const skills = [...new Set(cells.map(({ skill }) => skill))];
  const asked = cells.filter(({ load }) => load !== null);
  const colour = (prefix: string) => ({ value: ({ load }: Cell) => `var(--${prefix}-${level(load)})`, scale: null });
  const tilted = weeks.length > 14;
  const place = { x: "week", y: "skill" } as const;
  return drawChart(
    {
      height: (tilted ? 90 : 60) + 34 * skills.length,
      marginLeft: 150,
      marginTop: tilted ? 64 : 36,
      marginRight: tilted ? 40 : 20,
      padding: 0.06,
      x: { label: null, domain: [...weeks], axis: "top", tickRotate: tilted ? -40 : 0 },
      y: { label: null, domain: skills },
      marks: [
        Plot.cell(asked, { ...place, fill: colour("load"), title: words }),
        Plot.text(asked, { ...place, text: ({ load }: Cell) => loadText(load), fill: colour("on-load"), fontSize: 12 }),
      ],
    },
    { label: "Load of each skill by week, in per cent", description },
  );
}

const level = (load: number | null): LoadLevel => levelOf(load ?? 0);

function words({ skill, week, hours: { capacity, allocated, demand } }: Cell): string {
  const [there, promised, likely] = [capacity, allocated, demand].map((value) => Math.round(value));
  return `${skill}, week of ${week}: ${there} hours there, ${promised} promised, ${likely} likely`;
}

function range(level: number): string {
  const percent = LOAD_LIMITS.map((limit) => Math.round(limit * 100));
  const [from, to] = [percent[level - 1], percent[level]];
  if (from === undefined) return `to ${to} %`;
  return to === undefined ? `over ${from} %` : `to ${to} %`;
}
