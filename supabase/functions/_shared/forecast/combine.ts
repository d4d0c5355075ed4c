import type { ForecastInputs, InputScenario } from "../db/sql/forecast.ts";
import { type ConversionRates, readConversionRates } from "../planning/probability/rates.ts";
import type { Edit } from "../planning/scenario/edits.ts";
import type { Json } from "./answer.ts";
import type { Prepared } from "./plan.ts";
import { readEdit } from "./scenarios.ts";

export interface Combined {
  edits: Edit[];
  scenarios: Json;
  conflicts: Json;
}

/**
 * Several scenarios over one pipeline at once, in the order of their last change. A scenario speaks of the deals that it
 * names, and leaves the others alone; of a deal that two of them name the later one has the word, and that is told.
 */
export function combine(inputs: ForecastInputs, prepared: Prepared): Combined {
  const here = new Set(prepared.plan.deals.map(({ id }) => id));
  const namedBy = new Map<string, InputScenario[]>();
  const rows = inputs.scenarios.map((row) => ({ ...row, edits: row.edits.filter(({ skipped }) => skipped === null) }));
  for (const row of rows)
    for (const id of dealsNamed(row)) if (here.has(id)) namedBy.set(id, [...(namedBy.get(id) ?? []), row]);
  const speaks = (row: InputScenario, deal: string) => namedBy.get(deal)?.at(-1) === row;
  return {
    edits: rows.flatMap((row) => [
      ...rateEdits(row, row.conversion_rates, prepared, speaks),
      ...row.edits
        .filter(({ deal_id }) => deal_id === null || speaks(row, deal_id))
        .flatMap((edit) => {
          const read = readEdit(edit, prepared);
          return read.kind === "set_rates" ? ratesOn(row, read.rates, prepared, speaks) : [read];
        }),
    ]),
    scenarios: rows.map(({ id, name, status }) => ({ scenario_id: id, name, status })),
    conflicts: [...namedBy].flatMap(([deal, claims]) =>
      claims.length < 2
        ? []
        : [
            {
              pipeline_project_id: deal,
              name: prepared.names.get(deal) ?? null,
              scenario_ids: claims.map(({ id }) => id),
              taken: claims.at(-1)?.id ?? null,
            },
          ],
    ),
  };
}

function dealsNamed({ deal_ids, edits }: InputScenario): Set<string> {
  return new Set([...deal_ids, ...edits.flatMap(({ deal_id }) => (deal_id === null ? [] : [deal_id]))]);
}

type Speaks = (row: InputScenario, deal: string) => boolean;

function rateEdits(
  row: InputScenario,
  given: Readonly<Record<string, number>>,
  prepared: Prepared,
  speaks: Speaks,
): Edit[] {
  return Object.keys(given).length === 0
    ? []
    : ratesOn(row, readConversionRates(given, prepared.stages), prepared, speaks);
}

/** For all deals where the scenario is about all, else for its own. */
function ratesOn(row: InputScenario, rates: ConversionRates, { plan, setting }: Prepared, speaks: Speaks): Edit[] {
  if (row.deal_ids.length === 0) return [{ kind: "set_rates", rates }];
  const own = new Set(row.deal_ids);
  const rated = plan.deals.flatMap(({ id, stage }): [string, number][] => {
    const rate = rates.get(stage);
    const isOpen = setting.rates.stages.get(stage)?.kind === "open";
    return rate === undefined || !isOpen || !own.has(id) || !speaks(row, id) ? [] : [[id, rate]];
  });
  return rated.length === 0 ? [] : [{ kind: "set_probabilities", rates: new Map(rated) }];
}
