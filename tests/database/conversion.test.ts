import { randomUUID } from "node:crypto";
import fc from "fast-check";
import type { Sql, TransactionSql } from "postgres";
import { afterAll, describe, expect, test } from "vitest";
import {
  countStages,
  type StageCount,
  type StageEntry,
  type StageKind,
} from "../../supabase/functions/_shared/planning/probability/history.ts";
import { openSql } from "../support/world.ts";

const SEED = Number(process.env.CONVERSION_SEED ?? 20261121);
const CASES = 25;
const STAGES = [
  "lead",
  "prospect",
  "opportunity",
  "proposal",
  "negotiation",
  "won",
  "lost",
  "on_hold",
  "pilot",
] as const;

/** What people and syncs do to a pipeline. A deal is meant by its number among those that there are. */
type Step =
  | { do: "create"; stage: string; value: number | null; currency: string }
  | { do: "move"; deal: number; stage: string }
  | { do: "edit"; deal: number; value: number | null; reason: string | null; rivals: string[] }
  | { do: "expect"; deal: number; days: number }
  | { do: "age"; deal: number; hours: number }
  | { do: "remove" | "restore" | "erase"; deal: number }
  | { do: "order"; stage: string; position: number; kind: "open" | "on_hold" }
  | { do: "drop pilot" | "refresh" };

const deal = fc.nat(30);
const stage = fc.constantFrom(...STAGES);
const value = fc.option(fc.integer({ min: 0, max: 90_000_000 }).map((cents) => cents / 100));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("create"), stage, value, currency: fc.constantFrom("USD", "EUR") }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("move"), deal, stage }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("edit"),
      deal,
      value,
      reason: fc.option(fc.constantFrom("Price", " price", "Time")),
      rivals: fc.array(fc.constantFrom("Acme", "Beta", "acme"), { maxLength: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("expect"), deal, days: fc.integer({ min: -100, max: 100 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("age"), deal, hours: fc.integer({ min: 1, max: 2000 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("remove", "restore", "erase"), deal }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("order"),
      stage: fc.constantFrom("lead", "opportunity", "proposal"),
      position: fc.integer({ min: 0, max: 9 }),
      kind: fc.constantFrom("open", "on_hold"),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "drop pilot" }) },
  { weight: 3, arbitrary: fc.constant({ do: "refresh" }) },
) as fc.Arbitrary<Step>;

class Pipeline {
  readonly sql: TransactionSql;
  readonly workspace: string;
  readonly #deals: string[] = [];

  constructor(sql: TransactionSql, workspace: string) {
    this.sql = sql;
    this.workspace = workspace;
  }

  #at(number: number): string {
    return this.#deals[number % Math.max(1, this.#deals.length)] ?? randomUUID();
  }

  async take(step: Step): Promise<void> {
    const { sql, workspace } = this;
    switch (step.do) {
      case "create": {
        const [made] = await sql<{ id: string }[]>`
          insert into public.pipeline_projects (workspace_id, name, stage_key, estimated_value, currency)
          values (${workspace}, 'Deal', ${await this.#known(step.stage)}, ${step.value}, ${step.currency}) returning id`;
        if (made !== undefined) this.#deals.push(made.id);
        return;
      }
      case "move":
        await sql`update public.pipeline_projects set stage_key = ${await this.#known(step.stage)} where id = ${this.#at(step.deal)}`;
        return;
      case "edit":
        await sql`
          update public.pipeline_projects
             set estimated_value = ${step.value}, lost_reason = ${step.reason}, competitor_info = ${sql.json(step.rivals)}
           where id = ${this.#at(step.deal)}`;
        return;
      case "expect":
        await sql`update public.pipeline_projects set expected_close_date = current_date + ${step.days}::int where id = ${this.#at(step.deal)}`;
        return;
      case "age":
        // The deal came to its stages earlier: to the first ones much, to the last one a little.
        await sql`
          update public.pipeline_stage_history h set changed_at = h.changed_at - make_interval(hours => ${step.hours}::int * o.back::int)
            from (select id, row_number() over (order by changed_at desc, seq desc) as back
                    from public.pipeline_stage_history where pipeline_project_id = ${this.#at(step.deal)}) o
           where o.id = h.id`;
        await sql`update public.pipeline_projects set notes = 'Older than it looked' where id = ${this.#at(step.deal)}`;
        return;
      case "remove":
        await sql`update public.pipeline_projects set deleted_at = now() where id = ${this.#at(step.deal)}`;
        return;
      case "restore":
        await sql`update public.pipeline_projects set deleted_at = null where id = ${this.#at(step.deal)}`;
        return;
      case "erase":
        await sql`delete from public.pipeline_projects where id = ${this.#at(step.deal)}`;
        return;
      case "order":
        await sql`
          update public.pipeline_stages set position = ${step.position}, kind = ${step.kind}
           where workspace_id = ${workspace} and key = ${step.stage}`;
        return;
      case "drop pilot":
        await sql`update public.pipeline_projects set stage_key = 'lead' where workspace_id = ${workspace} and stage_key = 'pilot'`;
        await sql`delete from public.pipeline_stages where workspace_id = ${workspace} and key = 'pilot'`;
        return;
      case "refresh":
        // Two at a time, so that a refresh ends in the middle.
        await sql`select private.refresh_workspace(${workspace}, 2)`;
    }
  }

  /** The pilot stage comes when it is first needed, and again after it was dropped. */
  async #known(stage: string): Promise<string> {
    if (stage === "pilot") {
      await this.sql`
        insert into public.pipeline_stages (workspace_id, key, label, position, default_probability, kind)
        values (${this.workspace}, 'pilot', 'Pilot', 4, 50, 'open') on conflict do nothing`;
    }
    return stage;
  }
}

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
     where h.workspace_id = ${workspace} order by h.changed_at, h.seq`;
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

/** Nothing of it is kept: a job that refreshes at the same time sees none of it. */
async function inWorkspace(sql: Sql, play: (tx: TransactionSql, workspace: string) => Promise<void>): Promise<void> {
  const undone = new Error("undone");
  await sql
    .begin(async (tx) => {
      const user = randomUUID();
      await tx`insert into auth.users (id, email, aud, role) values (${user}, ${`${user}@example.test`}, 'authenticated', 'authenticated')`;
      const [own] = await tx<{ id: string }[]>`select id from public.workspaces where created_by = ${user}`;
      await play(tx, own?.id ?? "");
      throw undone;
    })
    .catch((error) => {
      if (error !== undone) throw error;
    });
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
      { seed: SEED, numRuns: CASES },
    );
    // Histories in which nothing happened would prove little.
    expect(moves).toBeGreaterThan(CASES * 10);
    expect(advanced).toBeGreaterThan(CASES);
  });
});
