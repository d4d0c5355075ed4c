import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bench } from "../support/bench.ts";
import { JOBS, PEOPLE, type Place, session } from "../support/storm.ts";
import { newWorld } from "../support/world.ts";

/** Twenty sessions at once, people and jobs: nobody waits in a circle, nothing is left over, and the totals are those of a count from scratch. */

const SEED = Number(process.env.STORM_SEED ?? 20261121);
const SESSIONS = 20;
/** Deeds of each session; with STORM_SECONDS as many as fit. */
const TURNS = 15;
const SECONDS = Number(process.env.STORM_SECONDS ?? 0);

const TOTALS = [
  "analytics_deals",
  "analytics_stage_visits",
  "analytics_stage_months",
  "analytics_stage_days",
  "analytics_cycle_days",
  "analytics_stage_closings",
  "analytics_outcome_months",
  "analytics_open_months",
];

const open = () =>
  postgres(bench().dbUrl, { max: 1, onnotice: ({ message = "" }) => warnings.push(message), prepare: false });
const warnings: string[] = [];
const sessions = Array.from({ length: SESSIONS }, open);
const reader = open();
const places: Place[] = [];

async function furnish(): Promise<Place> {
  const world = await newWorld();
  const personId = (await world.people.owner.auth.getUser()).data.user?.id ?? "";
  const { workspaceId } = world;
  await reader`insert into public.skills (workspace_id, key, label) select ${workspaceId}, k, k from unnest('{react,sql,go}'::text[]) k`;
  await reader`insert into public.employees (workspace_id, name, created_by) select ${workspaceId}, 'Person ' || n, ${personId} from generate_series(1, 10) n`;
  await reader`insert into public.pipeline_projects (workspace_id, name, board_position, created_by, stage_key, expected_close_date)
    select ${workspaceId}, 'Deal ' || n, n, ${personId}, (array['lead','proposal','won'])[1 + n % 3], '2027-01-01' from generate_series(1, 30) n`;
  return { workspaceId, personId };
}

beforeAll(async () => {
  places.push(await furnish(), await furnish(), await furnish());
});
afterAll(() => Promise.all([reader, ...sessions].map((sql) => sql.end())));

async function totals(workspace: string): Promise<Record<string, unknown>> {
  const rows: Record<string, unknown> = {};
  for (const table of TOTALS) {
    const [found] = await reader.unsafe<{ rows: unknown }[]>(
      `select coalesce(jsonb_agg(to_jsonb(t) order by to_jsonb(t)::text collate "C"), '[]') as rows from public.${table} t where t.workspace_id = $1`,
      [workspace],
    );
    rows[table] = found?.rows;
  }
  return rows;
}

describe("twenty sessions at once", () => {
  test(`neither wait in a circle nor meet what nobody foresaw (seed ${SEED})`, async () => {
    const until = Date.now() + SECONDS * 1_000;
    const goOn = (turn: number) => (SECONDS > 0 ? Date.now() < until : turn < TURNS);
    const all = await Promise.all(sessions.map((sql, index) => session(sql, places, SEED + index, goOn)));
    expect(all.flatMap(({ troubles }) => troubles)).toEqual([]);
    // A job swallows what one workspace cannot stomach, and says so.
    expect(warnings.filter((warning) => /deadlock|duplicate key|not refreshed|No snapshot/.test(warning))).toEqual([]);
    const done = new Set(all.flatMap((one) => one.done));
    // Not each comes off each time: what one would do, another has made impossible.
    expect(done.size).toBeGreaterThan(Object.keys({ ...PEOPLE, ...JOBS }).length - 4);
  });

  test("and leave totals that are those of a count from scratch", async () => {
    await reader`update public.workspaces set deleted_at = null where deleted_at is not null`;
    for (const { workspaceId } of places) {
      await reader`select private.refresh_workspace(${workspaceId}, 1000000)`;
      const followed = await totals(workspaceId);
      await reader`select private.rebuild_analytics(${workspaceId})`;
      expect(followed).toEqual(await totals(workspaceId));
      expect((followed.analytics_deals as unknown[]).length).toBeGreaterThan(10);
    }
  });

  test("and one primary skill for everybody who has skills", async () => {
    const wrong = await reader`
      select employee_id from public.employee_skills group by employee_id having count(*) filter (where is_primary) <> 1`;
    expect(wrong).toEqual([]);
  });
});
