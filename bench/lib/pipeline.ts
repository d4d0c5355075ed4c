import type { Sql } from "postgres";

export interface PipelineSize {
  deals: number;
  /** Rows of the stage history for each deal. */
  moves: number;
}

const COMPANIES = ["Acme", "Borealis", "Cobalt", "Delta", "Ember", "Falcon", "Granite", "Harbor"];
const TRADES = ["Steel", "Foods", "Media", "Energy", "Labs", "Works", "Health"];
const WORKS = ["Bridge", "Roof", "Tunnel", "Website", "Warehouse", "Data platform", "Training", "Retrofit"];

/** A number from 0 to below `below`, the same for the same deal and purpose each time. */
const pick = (purpose: number, below: number) => `(abs(hashint8(i * 1000 + ${purpose}) % ${below}))`;

const word = (purpose: number, words: readonly string[]) =>
  `(array[${words.map((each) => `'${each}'`).join(", ")}])[1 + ${pick(purpose, words.length)}]`;

/**
 * Fills a workspace with deals of three years that wandered between stages, won, lost and open ones, as years of work
 * would: without the triggers, for the refresh is to do their work. Needs a superuser.
 */
export async function fillPipeline(sql: Sql, workspace: string, { deals, moves }: PipelineSize): Promise<void> {
  await sql.begin(async (tx) => {
    await tx.unsafe("set local session_replication_role = replica; set local work_mem = '256MB'");
    await tx.unsafe(
      `insert into public.crm_companies (id, workspace_id, name, domain, slug)
       select md5($1::text || 'company' || i)::uuid, $1::uuid, ${word(21, COMPANIES)} || ' ' || ${word(22, TRADES)} || ' ' || i, 'c' || i || '.example', 'c' || i
       from generate_series(1, $2::int) i`,
      [workspace, Math.ceil(deals / 50)],
    );
    await tx.unsafe(
      `insert into public.pipeline_projects (id, workspace_id, name, client_name, company_id, description, priority, tags, required_skills, stage_key,
         probability, estimated_value, currency, expected_close_date, actual_close_date, deal_source, lost_reason, competitor_info, owner_label,
         created_at, updated_at)
       select md5($1::text || i)::uuid, $1::uuid, ${word(23, WORKS)} || ' ' || i, 'City of ' || ${word(24, COMPANIES)} || ' ' || ${pick(25, 500)},
         case when ${pick(26, 3)} > 0 then md5($1::text || 'company' || 1 + ${pick(27, 1_000_000)} % ceil($2::int / 50.0)::int)::uuid end,
         case when ${pick(28, 2)} = 0 then 'An offer for ' || ${word(29, TRADES)} || '. ' || repeat('They asked for references of similar work. ', ${pick(30, 8)}) end,
         ${word(31, ["low", "medium", "high", "critical"])}, case when ${pick(32, 50)} = 0 then '["vip"]' else '[]' end::jsonb,
         ${word(33, ['["react"]', '["sql", "react"]', "[]", "[]"])}::jsonb, s.key, s.default_probability, 1000 + ${pick(1, 900_000)},
         case when ${pick(2, 10)} = 0 then 'EUR' else 'USD' end, c.day::date + ${pick(3, 120)},
         case when s.kind in ('won', 'lost') then (c.day + make_interval(days => 20 + ${pick(4, 160)}))::date end,
         'Source ' || ${pick(5, 8)}, case when s.kind = 'lost' then 'Reason ' || ${pick(6, 12)} end,
         jsonb_build_array('Rival ' || ${pick(7, 20)}, jsonb_build_object('name', 'Rival ' || ${pick(8, 20)})),
         'Seller ' || ${pick(9, 50)}, c.day, c.day
       from generate_series(1, $2::int) i
       cross join lateral (select now() - make_interval(days => case when ${pick(10, 100)} < 70 then 180 + ${pick(11, 900)} else ${pick(12, 180)} end) as day) c
       join public.pipeline_stages s on s.workspace_id = $1::uuid and s.key =
         case when ${pick(10, 100)} < 35 then 'won' when ${pick(10, 100)} < 70 then 'lost'
           else (array['lead', 'prospect', 'opportunity', 'proposal', 'on_hold'])[1 + ${pick(13, 5)}] end`,
      [workspace, deals],
    );
    await tx.unsafe(
      `insert into public.pipeline_stage_history (workspace_id, pipeline_project_id, from_stage, to_stage, probability, estimated_value, changed_at)
       select d.workspace_id, d.id, null, case when m = $2::int then d.stage_key
           else (array['lead', 'prospect', 'opportunity', 'prospect', 'opportunity', 'proposal', 'opportunity', 'proposal', 'negotiation'])[1 + (m - 1) % 9] end,
         d.probability, d.estimated_value, d.created_at + make_interval(hours => (m - 1) * (12 + abs(hashtext(d.id::text) % 360)))
       from public.pipeline_projects d
       cross join generate_series(1, $2::int) m
       where d.workspace_id = $1::uuid
       order by d.created_at + make_interval(hours => (m - 1) * (12 + abs(hashtext(d.id::text) % 360))), m`,
      [workspace, moves],
    );
    await tx.unsafe(
      `update public.pipeline_projects d set entered_stage_at = h.at
       from (select pipeline_project_id as id, max(changed_at) as at from public.pipeline_stage_history where workspace_id = $1::uuid group by 1) h
       where d.id = h.id`,
      [workspace],
    );
    await tx.unsafe(
      "select private.write_search_texts(array(select d.id from public.pipeline_projects d where d.workspace_id = $1::uuid))",
      [workspace],
    );
    await tx.unsafe(
      `insert into public.pipeline_resource_demands (workspace_id, pipeline_project_id, skill_category, required_count, is_critical)
       select d.workspace_id, d.id, 'Engineering', 1 + abs(hashtext(d.id::text) % 3), abs(hashtext(d.id::text) % 5) = 0
       from public.pipeline_projects d where d.workspace_id = $1::uuid and abs(hashtext(d.id::text) % 10) = 0`,
      [workspace],
    );
    await tx.unsafe(
      `insert into public.pipeline_availability (workspace_id, pipeline_project_id, score, stale)
       select d.workspace_id, d.pipeline_project_id, abs(hashtext(d.id::text) % 101), false
       from public.pipeline_resource_demands d where d.workspace_id = $1::uuid`,
      [workspace],
    );
    await tx.unsafe(
      `insert into public.pipeline_date_history (workspace_id, pipeline_project_id, field, old_date, new_date, changed_at)
       select d.workspace_id, d.id, 'expected_close_date', d.expected_close_date - 30 * n, d.expected_close_date - 30 * (n - 1), d.created_at + make_interval(days => n)
       from public.pipeline_projects d
       cross join generate_series(1, 2) n
       where d.workspace_id = $1::uuid and abs(hashtext(d.id::text) % 4) >= 4 - n`,
      [workspace],
    );
    await tx.unsafe(
      `insert into public.crm_contacts (workspace_id, first_name, last_name, created_at)
       select $1::uuid, 'Contact', 'Number ' || i, now() - make_interval(hours => i) from generate_series(1, $2::int) i`,
      [workspace, Math.ceil(deals / 4)],
    );
    await tx.unsafe(
      `insert into public.crm_activities (workspace_id, activity_type, entity_type, entity_id, deal_id, description, created_at)
       select d.workspace_id, 'updated', 'deal', d.id, d.id, 'Updated deal', now() - make_interval(hours => abs(hashtext(d.id::text) % 2000))
       from public.pipeline_projects d where d.workspace_id = $1::uuid and abs(hashtext(d.id::text) % 3) > 0`,
      [workspace],
    );
  });
}

/** A target for the workspace and a few quarters. */
export async function setTargets(sql: Sql, workspace: string): Promise<void> {
  await sql.unsafe(
    `insert into public.pipeline_targets (workspace_id, period, period_start, amount, currency)
     select $1::uuid, 'quarter', (date_trunc('quarter', now()) + make_interval(months => 3 * q))::date, 500000000, 'USD' from generate_series(-8, 3) q`,
    [workspace],
  );
}
