import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bench } from "../support/bench.ts";
import { newWorld } from "../support/world.ts";

/** Two people at once: the second waits for the first, and finds what the first has done. */

const open = () => postgres(bench().dbUrl, { max: 1, onnotice: () => {} });
const [first, second, reader] = [open(), open(), open()];
let workspaceId = "";
let personId = "";

beforeAll(async () => {
  const world = await newWorld();
  workspaceId = world.workspaceId;
  personId = (await world.people.owner.auth.getUser()).data.user?.id ?? "";
});
afterAll(() => Promise.all([first, second, reader].map((sql) => sql.end())));

/** As a signed-in person's call reaches the database. */
async function asPerson(sql: postgres.TransactionSql): Promise<void> {
  const claims = JSON.stringify({ sub: personId, role: "authenticated" });
  await sql`select set_config('request.jwt.claims', ${claims}, true), set_config('role', 'authenticated', true)`;
}

/** What the second does while the first has done its part and not yet committed. */
async function together(call: (sql: postgres.TransactionSql, who: "one" | "two") => Promise<unknown>): Promise<void> {
  const [{ pid } = { pid: 0 }] = await second<{ pid: number }[]>`select pg_backend_pid() as pid`;
  let other: Promise<unknown> = Promise.resolve();
  await first.begin(async (sql) => {
    await asPerson(sql);
    await call(sql, "one");
    let done = false;
    other = second.begin(async (its) => {
      await asPerson(its);
      await call(its, "two");
    });
    const end = () => {
      done = true;
    };
    other.then(end, end);
    // Until it waits for a lock; without one it is done at once.
    while (!done) {
      const [state] = await reader<{ waits: boolean }[]>`
        select wait_event_type = 'Lock' as waits from pg_stat_activity where pid = ${pid}`;
      if (state?.waits) break;
    }
  });
  await other;
}

async function deal(name: string): Promise<string> {
  const [made] = await reader<{ id: string }[]>`
    insert into public.pipeline_projects (workspace_id, name, board_position, created_by)
    values (${workspaceId}, ${name}, ${name === "anchor" ? 1 : 2}, ${personId}) returning id`;
  return made?.id ?? "";
}

describe("two people at once", () => {
  test("drop cards behind the same one: each gets a place of its own", async () => {
    const anchor = await deal("anchor");
    const cards = { one: await deal("one"), two: await deal("two") };
    await together((sql, who) => sql`select public.place_deal(${cards[who]}, ${anchor})`);
    const column = await reader<{ name: string; board_position: number }[]>`
      select name, board_position from public.pipeline_projects where workspace_id = ${workspaceId} order by board_position`;
    expect(column.map(({ name }) => name)).toEqual(["anchor", "two", "one"]);
    expect(new Set(column.map(({ board_position }) => board_position)).size).toBe(3);
  });

  test("edit one scenario: both edits are kept, one after the other", async () => {
    const [scenario] = await reader<{ id: string }[]>`
      insert into public.pipeline_scenarios (workspace_id, name, created_by)
      values (${workspaceId}, 'Shared', ${personId}) returning id`;
    const share = { one: 0.1, two: 0.2 };
    await together(
      (sql, who) =>
        sql`select public.add_scenario_edit(${scenario?.id ?? ""}, 'set_rates', null, ${sql.json({ rates: { lead: share[who] } })})`,
    );
    const edits = await reader<{ position: number; rate: string }[]>`
      select position, payload -> 'rates' ->> 'lead' as rate from public.pipeline_scenario_edits
       where scenario_id = ${scenario?.id ?? ""} order by position`;
    expect(edits.map(({ position, rate }) => [position, rate])).toEqual([
      [1, "0.1"],
      [2, "0.2"],
    ]);
  });

  test("promote one scenario: it is written once", async () => {
    const id = await deal("promoted");
    const [scenario] = await reader<{ id: string }[]>`
      insert into public.pipeline_scenarios (workspace_id, name, created_by)
      values (${workspaceId}, 'Once', ${personId}) returning id`;
    await reader`update public.pipeline_projects set expected_close_date = '2027-01-01' where id = ${id}`;
    await reader`
      insert into public.pipeline_scenario_edits (workspace_id, scenario_id, kind, pipeline_project_id, payload)
      values (${workspaceId}, ${scenario?.id ?? ""}, 'shift_close', ${id}, '{"days": 10}')`;
    const refused = together((sql) => sql`select public.promote_scenario(${scenario?.id ?? ""})`);
    await expect(refused).rejects.toMatchObject({ code: "PC008" });
    const [now] = await reader<{ day: string }[]>`
      select expected_close_date::text as day from public.pipeline_projects where id = ${id}`;
    expect(now?.day).toBe("2027-01-11");
  });

  interface Promoted {
    said: { applied: { kind: string }[]; skipped: { kind: string; reason: string }[] };
  }
  async function scenarioOn(name: string, dealId: string, kind: string, payload: postgres.JSONValue = {}) {
    const [made] = await reader<{ id: string }[]>`
      insert into public.pipeline_scenarios (workspace_id, name, created_by)
      values (${workspaceId}, ${name}, ${personId}) returning id`;
    const id = made?.id ?? "";
    await reader`
      insert into public.pipeline_scenario_edits (workspace_id, scenario_id, kind, pipeline_project_id, payload)
      values (${workspaceId}, ${id}, ${kind}, ${dealId}, ${reader.json(payload)})`;
    return id;
  }

  test("win a deal and promote a scenario that drops it: the deal stays won, and the answer says why", async () => {
    const id = await deal("just won");
    const scenario = await scenarioOn("Drops it", id, "drop_deal");
    let answer: Promoted | undefined;
    await together(async (sql, who) => {
      if (who === "one") await sql`select public.move_deal_stage(${id}, 'won')`;
      else [answer] = await sql<Promoted[]>`select public.promote_scenario(${scenario}) as said`;
    });
    expect(answer?.said).toMatchObject({ applied: [], skipped: [{ kind: "drop_deal", reason: "deal_won" }] });
    const [now] = await reader`select stage_key from public.pipeline_projects where id = ${id}`;
    expect(now?.stage_key).toBe("won");
  });

  test("edit the base of a scenario and promote that: the edit is promoted too, and not only called so", async () => {
    const id = await deal("late edit");
    await reader`update public.pipeline_projects set expected_close_date = '2027-01-01' where id = ${id}`;
    const base = await scenarioOn("Base", id, "shift_close", { days: 1 });
    const variant = await scenarioOn("Variant", id, "shift_close", { days: 10 });
    await reader`update public.pipeline_scenarios set base_scenario_id = ${base} where id = ${variant}`;
    let answer: Promoted | undefined;
    await together(async (sql, who) => {
      if (who === "one") await sql`select public.add_scenario_edit(${base}, 'shift_close', ${id}, '{"days": 100}')`;
      else [answer] = await sql<Promoted[]>`select public.promote_scenario(${variant}) as said`;
    });
    expect(answer?.said.applied).toHaveLength(3);
    const [now] = await reader<{ day: string }[]>`
      select expected_close_date::text as day from public.pipeline_projects where id = ${id}`;
    // 1 January and 111 days.
    expect(now?.day).toBe("2027-04-22");
  });

  test("promote a scenario and edit its base: the edit comes after, and still counts", async () => {
    const id = await deal("later edit");
    await reader`update public.pipeline_projects set expected_close_date = '2027-01-01' where id = ${id}`;
    const base = await scenarioOn("Base of another", id, "shift_close", { days: 1 });
    const variant = await scenarioOn("Another", id, "shift_close", { days: 10 });
    await reader`update public.pipeline_scenarios set base_scenario_id = ${base} where id = ${variant}`;
    await together((sql, who) =>
      who === "one"
        ? sql`select public.promote_scenario(${variant})`
        : sql`select public.add_scenario_edit(${base}, 'shift_close', ${id}, '{"days": 100}')`,
    );
    const plan = await reader<{ payload: { days: number }; skipped: string | null }[]>`
      select payload, skipped from private.scenario_plan(${variant}) order by place`;
    expect(plan.map(({ payload, skipped }) => [payload.days, skipped])).toEqual([
      [1, "already_promoted"],
      [100, null],
      [10, "already_promoted"],
    ]);
  });
});

describe("two people at one person's skills and days", () => {
  const primaries = async (employee: string) =>
    (
      await reader<{ skill_key: string }[]>`
        select skill_key from public.employee_skills where employee_id = ${employee} and is_primary`
    ).map(({ skill_key }) => skill_key);

  async function hire(...skills: string[]): Promise<string> {
    await reader`
      insert into public.skills (workspace_id, key, label)
      select ${workspaceId}, k, k from unnest('{wood,stone,steel}'::text[]) k on conflict do nothing`;
    const [made] = await reader<{ id: string }[]>`
      insert into public.employees (workspace_id, name, employed_from) values (${workspaceId}, 'Ann', '2020-01-01') returning id`;
    for (const skill of skills)
      await reader`
        insert into public.employee_skills (workspace_id, employee_id, skill_key) values (${workspaceId}, ${made?.id ?? ""}, ${skill})`;
    return made?.id ?? "";
  }

  test("each add the first one: one of them is the primary skill", async () => {
    const ann = await hire();
    const skill = { one: "wood", two: "stone" };
    await together(
      (sql, who) =>
        sql`insert into public.employee_skills (workspace_id, employee_id, skill_key) values (${workspaceId}, ${ann}, ${skill[who]})`,
    );
    expect(await primaries(ann)).toEqual(["wood"]);
  });

  test("each make another one primary: the second stays it", async () => {
    const ann = await hire("wood", "stone", "steel");
    const skill = { one: "stone", two: "steel" };
    await together(
      (sql, who) =>
        sql`update public.employee_skills set is_primary = true where employee_id = ${ann} and skill_key = ${skill[who]}`,
    );
    expect(await primaries(ann)).toEqual(["steel"]);
  });

  test("one deletes the primary one and the other the next: the third takes its place", async () => {
    const ann = await hire("wood", "steel", "stone");
    const skill = { one: "steel", two: "wood" };
    await together(
      (sql, who) => sql`delete from public.employee_skills where employee_id = ${ann} and skill_key = ${skill[who]}`,
    );
    expect(await primaries(ann)).toEqual(["stone"]);
  });

  test("enter the same days off: they count once", async () => {
    const ann = await hire("wood");
    const twice = together(
      (sql) => sql`
        insert into public.employee_time_off (workspace_id, employee_id, start_date, end_date)
        values (${workspaceId}, ${ann}, '2027-03-01', '2027-03-03')`,
    );
    await expect(twice).rejects.toMatchObject({ code: "23P01" });
    const [days] = await reader`select count(*)::int as n from public.employee_time_off where employee_id = ${ann}`;
    expect(days?.n).toBe(1);
  });

  test("a question while a calendar is being changed gets all of it from before, and the next one from after", async () => {
    const ann = await hire("wood");
    const hours = async () => {
      const rows = await reader.begin(async (sql) => {
        await asPerson(sql);
        return sql<{ capacity: number }[]>`
          select capacity::float8 from public.capacity_weeks(${workspaceId}, '2027-03-01', 3, 'person') where key = ${ann} order by week`;
      });
      return rows.map(({ capacity }) => capacity);
    };
    await first.begin(async (sql) => {
      await sql`update public.working_calendars set hours = '{4,4,4,4,4,0,0}' where workspace_id = ${workspaceId}`;
      await sql`
        insert into public.calendar_holidays (workspace_id, calendar_id, day)
        select c.workspace_id, c.id, '2027-03-08' from public.working_calendars c where c.workspace_id = ${workspaceId}`;
      expect(await hours()).toEqual([40, 40, 40]);
    });
    expect(await hours()).toEqual([20, 16, 20]);
  });
});
