import { parseArgs } from "node:util";
import { type Day, parseDay } from "../../supabase/functions/_shared/planning/time/days.ts";
import { readMavenDeals } from "./maven.ts";
import { type Draws, LEVELS, SCOPES, trialsOf } from "./quarter.ts";
import { COLD, QUARTERS, quarterLine, summary } from "./summary.ts";

/**
 * Forecasts each quarter of 2017 from what the Maven data knew on its first day, and compares with what came. One JSON
 * line per quarter and per summary: `npx tsx scripts/planning/backtest.ts`. What it finds is in docs/planning.md.
 */
const { values: options } = parseArgs({
  options: { runs: { type: "string", default: "10000" }, seed: { type: "string", default: "2017" } },
});

function main(draws: Draws): void {
  const deals = readMavenDeals();
  const trials = SCOPES.flatMap((scope) =>
    Object.entries(QUARTERS).flatMap(([quarter, start]) =>
      trialsOf(deals, quarter, parseDay(start) as Day, scope, draws),
    ),
  );
  for (const trial of trials.filter(({ level }) => level === "total")) print(quarterLine(trial));
  for (const scope of SCOPES) {
    const warm = trials.filter((trial) => trial.scope === scope && trial.quarter !== COLD);
    for (const level of LEVELS) print({ scope, level, ...summary(warm.filter((trial) => trial.level === level)) });
    print({ scope, level: "region, product and agent", ...summary(warm.filter(({ level }) => level !== "total")) });
  }
}

const print = (line: object) => console.log(JSON.stringify({ backtest: "maven", ...line }));

main({ runs: Number(options.runs), seed: Number(options.seed) });
