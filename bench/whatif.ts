import { parseArgs } from "node:util";
import { INDEPENDENT } from "../supabase/functions/_shared/planning/forecast/model.ts";
import type { Plan } from "../supabase/functions/_shared/planning/forecast/plan.ts";
import { finish } from "../supabase/functions/_shared/planning/forecast/revenue.ts";
import type { Edit } from "../supabase/functions/_shared/planning/scenario/edits.ts";
import type { ForecastSetting } from "../supabase/functions/_shared/planning/scenario/toModel.ts";
import { whatIf } from "../supabase/functions/_shared/planning/scenario/whatIf.ts";
import { periodsFrom } from "../supabase/functions/_shared/planning/time/periods.ts";
import { tableOfShifts } from "../supabase/functions/_shared/planning/timing/shifts.ts";
import { report, rounded } from "./lib/report.ts";

/**
 * A what-if over a pipeline: deals × runs × scenarios, each with other rates, so that nothing is the same in two of
 * them. Processor time, for other work on the machine takes time but no processor of ours; beside it a bare loop that
 * draws as often and adds up.
 */
const { values: options } = parseArgs({
  options: {
    deals: { type: "string", default: "1000" },
    runs: { type: "string", default: "10000" },
    scenarios: { type: "string", default: "5" },
  },
});
const [DEALS, RUNS, SCENARIOS] = [Number(options.deals), Number(options.runs), Number(options.scenarios)];
const AS_OF = 20_454;
const STAGES = ["lead", "prospect", "opportunity", "proposal", "negotiation"];

const plan: Plan = {
  deals: Array.from({ length: DEALS }, (_, index) => ({
    id: `deal-${index}`,
    name: `Deal ${index}`,
    clientId: `client-${index % Math.ceil(DEALS / 4)}`,
    stage: STAGES[index % STAGES.length] as string,
    value: 100_000 + 777 * index,
    rate: null,
    closeDay: AS_OF + (index % 300),
    startDay: null,
    durationDays: null,
  })),
  demands: [],
  addedPeople: [],
  conversionRates: new Map(),
};

function setting(client: number): ForecastSetting {
  const stages = STAGES.map((key, index) => ({ key, kind: "open" as const, defaultRate: 0.15 * (index + 1) }));
  return {
    asOf: AS_OF,
    periods: periodsFrom(AS_OF, 12, "month"),
    rates: {
      stages: new Map(stages.map((stage) => [stage.key, stage])),
      learned: new Map(),
      template: new Map(),
      trustDeals: true,
      minDeals: 5,
    },
    timing: new Map([["", tableOfShifts(Array.from({ length: 100 }, (_, index) => index - 30))]]),
    correlation: { ...INDEPENDENT, client },
    newBusiness: null,
    countFrom: 0,
  };
}

const scenarios = Array.from({ length: SCENARIOS }, (_, index) => {
  const rates = new Map(STAGES.map((key, place) => [key, 0.1 + 0.15 * place + 0.02 * index]));
  const edits: Edit[] = [{ kind: "set_rates", rates }];
  return { name: `scenario ${index}`, edits };
});

/** Seconds of processor time. */
function measure(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function bareLoop(): number {
  let sum = 0;
  for (let scenario = 0; scenario < SCENARIOS; scenario++)
    for (const { value } of plan.deals) for (let run = 0; run < RUNS; run++) if (Math.random() < 0.5) sum += value;
  return sum;
}

const floor = measure(bareLoop);
for (const [name, client] of [
  ["independent", 0],
  ["by-client", 0.3],
] as const) {
  const run = (runs: number) => finish(whatIf(plan, scenarios, setting(client), { runs, seed: 1, drivers: 20 }));
  run(100);
  const memory = process.memoryUsage().rss;
  const seconds = measure(() => run(RUNS));
  const grown = (process.memoryUsage().rss - memory) / 2 ** 20;
  report({
    bench: "whatif",
    case: name,
    n: DEALS * RUNS * SCENARIOS,
    seconds: rounded(seconds),
    floor_seconds: rounded(floor),
    ratio: rounded(seconds / floor),
    memory_growth_mib: rounded(grown),
    target: 2,
    ok: seconds <= 2,
  });
}
