import fc from "fast-check";
import type { TransactionSql } from "postgres";
import { afterAll, describe, expect, test } from "vitest";
import {
  countStages,
  type StageCount,
  type StageEntry,
  type StageKind,
} from "../../supabase/functions/_shared/planning/probability/history.ts";
import { inWorkspace, Pipeline, step } from "../support/pipeline-histories.ts";
import { openSql } from "../support/world.ts";

const SEED = Number(process.env.CONVERSION_SEED ?? 20261121);
const CASES = Number(process.env.CONVERSION_CASES ?? 12);
/** Each table of totals, and the function that says what given deals add to it. */
const TOTALS = {
  analytics_stage_months: "stage_months_of",
  analytics_stage_days: "stage_days_of",
  analytics_cycle_days: "cycle_days_of",
  analytics_stage_closings: "stage_closings_of",
  analytics_outcome_months: "outcome_months_of",
  analytics_open_months: "open_months_of",
};
const TABLES = [
  "analytics_deals",
  "analytics_stage_visits",
  "analytics_stage_times",
  "analytics_stage_rates",
  ...Object.keys(TOTALS),
];

async function rowsOf(sql: TransactionSql, source: string, workspace: string): Promise<unknown> {
  const [found] = await sql.unsafe<{ rows: unknown }[]>(
    `select coalesce(jsonb_agg(to_jsonb(t) - 'computed_at' order by to_jsonb(t)::text collate "C"), '[]') as rows from (select * from ${source}) t`,
    [workspace],
  );
  return found?.rows;
}

async function everything(sql: TransactionSql, workspace: string): Promise<Record<string, unknown>> {
  const rows: Record<string, unknown> = {};
  for (const table of TABLES) rows[table] = await rowsOf(sql, `public.${table} where workspace_id = $1`, workspace);
  return rows;
}

/** All deals at once, in place of change after change. */
async function addedUp(sql: TransactionSql, workspace: string): Promise<Record<string, unknown>> {
  const rows: Record<string, unknown> = {};
  const all = "array(select deal_id from public.analytics_deals where workspace_id = $1)";
  for (const [table, parts] of Object.entries(TOTALS)) {
    rows[table] = await rowsOf(sql, `private.${parts}($1, ${all})`, workspace);
  }
  return rows;
}

async function fromTheCore(sql: TransactionSql, workspace: string): Promise<Map<string, StageCount>> {
  const history = await sql<StageEntry[]>`
    select h.pipeline_project_id as "dealId", h.from_stage as "from", h.to_stage as "to", 0 as at
      from public.pipeline_stage_history h join public.pipeline_projects d on d.id = h.pipeline_project_id and d.deleted_at is null
     where h.workspace_id = ${workspace} and h.from_stage is distinct from h.to_stage order by h.changed_at, h.seq`;
  const stages = await sql<{ key: string; kind: StageKind; position: number }[]>`
    select key, kind, position from public.pipeline_stages where workspace_id = ${workspace}`;
  return countStages(history, new Map(stages.map(({ key, ...rest }) => [key, rest])));
}

async function fromTheTotals(sql: TransactionSql, workspace: string): Promise<Map<string, StageCount>> {
  const rows = await sql<({ key: string } & StageCount)[]>`
    select stage_key as key, sum(entered)::int as entered, sum(won)::int as won, sum(lost)::int as lost, sum(open)::int as open, sum(advanced)::int as advanced
      from public.analytics_stage_months where workspace_id = ${workspace} group by stage_key`;
  return new Map(rows.map(({ key, ...counts }) => [key, counts]));
}

describe("totals that follow the deals", () => {
  const sql = openSql();
  afterAll(() => sql.end());

  test(`are those of the history, and of a count from scratch (${CASES} histories, seed ${SEED})`, async () => {
    let [moves, advanced] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 80, size: "max" }), (steps) =>
        inWorkspace(sql, async (tx, workspace) => {
          const pipeline = new Pipeline(tx, workspace);
          for (const each of steps) await pipeline.take(each);
          await tx`select private.refresh_workspace(${workspace}, 100000)`;
          const core = await fromTheCore(tx, workspace);
          expect(await fromTheTotals(tx, workspace)).toEqual(core);
          const followed = await everything(tx, workspace);
          expect(followed).toMatchObject(await addedUp(tx, workspace));
          await tx`select private.rebuild_analytics(${workspace})`;
          expect(followed).toEqual(await everything(tx, workspace));
          for (const counts of core.values()) {
            moves += counts.entered;
            advanced += counts.advanced;
          }
        }),
      ),
      { seed: SEED, numRuns: CASES, endOnFailure: true },
    );
    // Histories in which nothing happened would prove little.
    expect(moves).toBeGreaterThan(CASES * 10);
    expect(advanced).toBeGreaterThan(CASES);
  });
});
