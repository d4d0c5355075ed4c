import { randomUUID } from "node:crypto";
import fc from "fast-check";
import type { Sql, TransactionSql } from "postgres";

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

const dayAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);

/** What people and syncs do to a pipeline. A deal is meant by its number among those that there are. */
type Step =
  | { do: "create"; stage: string; value: number | null; currency: string }
  | { do: "move"; deal: number; stage: string }
  | { do: "edit"; deal: number; value: number | null; reason: string | null; rivals: string[] }
  | { do: "expect"; deal: number; days: number }
  | { do: "age"; deal: number; hours: number }
  | { do: "border"; deal: number; months: number; hours: number }
  | { do: "repeat" | "remove" | "restore" | "erase"; deal: number }
  | { do: "order"; stage: string; position: number; kind: "open" | "on_hold" }
  | { do: "price"; deal: number; currency: string; probability: number }
  | { do: "own"; deal: number; owner: "me" | "somebody" | "nobody"; source: string | null }
  | { do: "close on"; deal: number; day: string | number }
  | { do: "import"; stage: string; value: number | null; age: number; length: number }
  | { do: "note" | "forget" | "silence"; deal: number }
  | { do: "staff"; deal: number; score: number }
  | { do: "zone"; zone: string }
  | { do: "bands"; bands: number[] }
  | { do: "drop pilot" | "rename pilot" | "refresh" };

const deal = fc.nat(30);
/** The same ones again and again. */
const favourite = fc.nat(7);
const stage = fc.constantFrom(...STAGES);
const value = fc.option(
  fc.integer({ min: 0, max: 90_000_000 }).map((cents) => cents / 100),
  { freq: 3 },
);
export const step: fc.Arbitrary<Step> = fc.oneof(
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
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("note", "forget", "silence"), deal: favourite }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("staff"), deal: favourite, score: fc.constantFrom(0, 49, 50, 60, 100) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("expect"),
      deal: favourite,
      days: fc.constantFrom(-100, -30, -1, 0, 1, 20, 90),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("age"), deal, hours: fc.integer({ min: 1, max: 2000 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("border"),
      deal,
      months: fc.constantFrom(0, 1, 3, 4, 12, 13),
      hours: fc.integer({ min: -14, max: 14 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("repeat", "remove", "restore", "erase"), deal }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("order"),
      stage: fc.constantFrom("lead", "opportunity", "proposal"),
      position: fc.integer({ min: 0, max: 9 }),
      kind: fc.constantFrom("open", "on_hold"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("price"),
      deal,
      currency: fc.constantFrom("USD", "EUR"),
      probability: fc.integer({ min: 0, max: 100 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("own"),
      deal,
      owner: fc.constantFrom("me", "somebody", "nobody"),
      source: fc.constantFrom(null, "Fair", " fair ", "Web"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("close on"),
      deal,
      day: fc.constantFrom("0044-03-15", "9999-12-31", "2024-02-29", 0, 1, 88, 93, 340, 360, 375, 395),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("import"),
      stage: fc.constantFrom("won", "lost", "proposal"),
      value: fc.option(
        fc.integer({ min: 0, max: 5_000_000 }).map((cents) => cents / 100),
        { freq: 2 },
      ),
      age: fc.constantFrom(5, 60, 95, 340, 362, 372, 400, 880),
      length: fc.constantFrom(-20, 0, 3, 40, 300),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("zone"),
      zone: fc.constantFrom("UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati", "Asia/Kolkata"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("bands"), bands: fc.constantFrom([], [1000], [5000, 100_000, 400_000]) }),
  },
  { weight: 1, arbitrary: fc.constantFrom({ do: "drop pilot" }, { do: "rename pilot" }) },
  { weight: 3, arbitrary: fc.constant({ do: "refresh" }) },
) as fc.Arbitrary<Step>;

export class Pipeline {
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
      case "border":
        // All of it earlier, so that the last move was within hours of the beginning of a month.
        await sql`
          update public.pipeline_stage_history h set changed_at = h.changed_at - (m.last - m.border)
            from (select max(changed_at) as last,
                    date_trunc('month', now()) - make_interval(months => ${step.months}::int) + make_interval(hours => ${step.hours}::int) as border
                    from public.pipeline_stage_history where pipeline_project_id = ${this.#at(step.deal)}) m
           where h.pipeline_project_id = ${this.#at(step.deal)} and m.border < m.last`;
        await sql`update public.pipeline_projects set notes = 'At the border' where id = ${this.#at(step.deal)}`;
        return;
      case "repeat":
        await sql`
          insert into public.pipeline_stage_history (workspace_id, pipeline_project_id, from_stage, to_stage)
          select d.workspace_id, d.id, d.stage_key, d.stage_key from public.pipeline_projects d where d.id = ${this.#at(step.deal)}`;
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
      case "price":
        await sql`
          update public.pipeline_projects set currency = ${step.currency}, probability = ${step.probability} where id = ${this.#at(step.deal)}`;
        return;
      case "own":
        await sql`
          update public.pipeline_projects
             set owner_id = (select m.user_id from public.workspace_members m where m.workspace_id = ${workspace} and ${step.owner === "me"}),
                 owner_label = ${step.owner === "somebody" ? " Som\u00e9body" : null}, deal_source = ${step.source}
           where id = ${this.#at(step.deal)}`;
        return;
      case "close on":
        await sql`update public.pipeline_projects set actual_close_date = ${typeof step.day === "number" ? dayAgo(step.day) : step.day}::text::date where id = ${this.#at(step.deal)}`;
        return;
      case "import": {
        const [made] = await sql<{ id: string }[]>`
          insert into public.pipeline_projects (workspace_id, name, stage_key, estimated_value, created_at, actual_close_date)
          values (${workspace}, 'Imported', ${step.stage}, ${step.value}, now() - make_interval(days => ${step.age}),
            case when ${step.stage !== "proposal"} then current_date - ${step.age}::int + ${step.length}::int end) returning id`;
        if (made !== undefined) this.#deals.push(made.id);
        return;
      }
      case "note":
        await sql`
          insert into public.crm_notes (workspace_id, related_to_type, related_to_id, content)
          select ${workspace}, 'deal', d.id, 'Called' from public.pipeline_projects d where d.id = ${this.#at(step.deal)}`;
        return;
      case "forget":
        await sql`delete from public.crm_notes where deal_id = ${this.#at(step.deal)}`;
        return;
      case "silence":
        // Time passes over a deal that nobody touches. What is written about it then brings it to the analytics.
        await sql`update public.crm_activities set created_at = now() - interval '40 days' where entity_id = ${this.#at(step.deal)}`;
        await sql`insert into private.analytics_queue (workspace_id, pipeline_project_id) values (${workspace}, ${this.#at(step.deal)})`;
        return;
      case "staff":
        await sql`
          insert into public.pipeline_availability (workspace_id, pipeline_project_id, score, stale)
          select ${workspace}, d.id, ${step.score}, false from public.pipeline_projects d where d.id = ${this.#at(step.deal)}
          on conflict (workspace_id, pipeline_project_id) do update set score = excluded.score`;
        return;
      case "zone":
        await sql`update public.workspaces set time_zone = ${step.zone} where id = ${workspace}`;
        return;
      case "bands":
        await sql`update public.planning_settings set size_bands = ${step.bands}::numeric[] where workspace_id = ${workspace}`;
        return;
      case "rename pilot":
        await sql`
          update public.pipeline_stages s set key = 'trial' where s.workspace_id = ${workspace} and s.key = 'pilot'
             and not exists (select from public.pipeline_stages x where x.workspace_id = s.workspace_id and x.key = 'trial')`;
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

/** Nothing of it is kept: a job that refreshes at the same time sees none of it. */
export async function inWorkspace(
  sql: Sql,
  play: (tx: TransactionSql, workspace: string) => Promise<void>,
): Promise<void> {
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
