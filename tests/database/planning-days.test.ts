import fc from "fast-check";
import type { TransactionSql } from "postgres";
import { afterAll, expect, test } from "vitest";
import { type Day, formatDay, parseDay } from "../../supabase/functions/_shared/planning/time/days.ts";
import { type LineCase, type PersonCase, type PlanningCase, planningCases, SKILLS } from "../support/planning-cases.ts";
import { cover, demand, freeFor, hires, matchOf, wantedOf, weekOf, weeksOf } from "../support/planning-oracle.ts";
import { type Stored, storeCase } from "../support/planning-store.ts";
import { newPerson, openSql } from "../support/world.ts";

const SEED = Number(process.env.CAPACITY_SEED ?? 20261121);
const CASES = Number(process.env.CAPACITY_CASES ?? 25);
/** Answers have four digits. */
const SAME = 0.00005 + 1e-9;

interface Asking {
  sql: TransactionSql;
  one: PlanningCase;
  stored: Stored;
}

type Numbers = Map<string, Record<string, number>>;

/** Equal wherever one of both says something: a row of nothing but zeros is as good as none. */
function same(actual: Numbers, wanted: Numbers, what: string): void {
  for (const place of new Set([...actual.keys(), ...wanted.keys()])) {
    const [found, right] = [actual.get(place) ?? {}, wanted.get(place) ?? {}];
    for (const name of new Set([...Object.keys(found), ...Object.keys(right)])) {
      const off = Math.abs((found[name] ?? 0) - (right[name] ?? 0));
      if (!(off <= SAME))
        expect.fail(`${what}, ${place}: ${name} is ${found[name] ?? "none"}, by the day ${right[name] ?? "none"}`);
      compared += right[name] ? 1 : 0;
    }
  }
}
let compared = 0;

const place = (...parts: (string | number | null)[]) => parts.map((part) => part ?? "-").join(" ");
const add = (into: Numbers, at: string, more: Record<string, number>) => {
  const sum = into.get(at) ?? {};
  for (const [name, value] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + value;
  into.set(at, sum);
};

// Supply and demand ------------------------------------------------------------------------------------------------------

const GROUPS = ["category", "level", "team", "person"] as const;
const ASKED_BY = ["skill", "category", "level", "deal"] as const;

function bucketOf(group: string, index: number, person: PersonCase, { people, teams }: Stored): string[] {
  const [primary] = person.skills;
  const { skill = null, level = null } = primary ?? {};
  if (group === "skill") return [place(skill, level)];
  if (group === "category") return [place(skill && (SKILLS.get(skill) ?? null), null)];
  if (group === "level") return [place(level, null)];
  return [
    place(
      group === "team" ? (person.team === null ? null : (teams[person.team] ?? null)) : (people[index] ?? ""),
      null,
    ),
  ];
}

function askedBucket(group: string, line: LineCase, { deals }: Stored): string {
  const { skill, category } = wantedOf(line);
  if (group === "skill") return place(skill ?? category, line.level);
  if (group === "deal") return place(deals[line.deal] ?? "", null);
  return place(group === "category" ? category : line.level, null);
}

async function capacityAgrees(
  { sql, one, stored }: Asking,
  group: "skill" | (typeof GROUPS)[number],
  weighted: boolean,
) {
  const rows = await sql<{ week: string; key: string | null; level: string | null }[]>`
    select week::text, key, level, capacity::float8, allocated::float8, free::float8, over::float8, coalesce(demand, 0)::float8 as demand,
      coalesce(weighted_demand, 0)::float8 as weighted_demand, coalesce(critical_demand, 0)::float8 as critical_demand,
      coalesce(gap, 0)::float8 as gap, coalesce(reach, 0)::float8 as reach
    from public.capacity_weeks(${stored.workspaceId}, ${formatDay(one.from)}, ${one.weeks}, ${group}, ${weighted ? "weighted" : "unweighted"}, true)`;
  const found: Numbers = new Map(rows.map(({ week, key, level, ...hours }) => [place(week, place(key, level)), hours]));
  const wanted: Numbers = new Map();
  const asks = group === "team" || group === "person" ? [] : demand(one);
  const gapsShown = group !== "team" && group !== "person";
  for (const week of weeksOf(one))
    for (const [index, person] of one.people.entries()) {
      const { capacity, allocated, over } = weekOf(one, person, week);
      const free = capacity - allocated;
      for (const bucket of bucketOf(group, index, person, stored))
        add(wanted, place(formatDay(week), bucket), { capacity, allocated, free, over, gap: gapsShown ? -free : 0 });
      if (group === "skill")
        for (const { skill, level } of person.skills.length > 0 ? person.skills : [{ skill: null, level: null }])
          add(wanted, place(formatDay(week), place(skill, level)), { reach: free });
    }
  for (const { line, week, unstaffed, rate } of asks) {
    const counted = unstaffed * (weighted ? rate : 1);
    const asked = one.lines[line] as LineCase;
    add(wanted, place(formatDay(week), askedBucket(group, asked, stored)), {
      demand: unstaffed,
      weighted_demand: unstaffed * rate,
      critical_demand: asked.critical ? counted : 0,
      gap: counted,
    });
  }
  same(found, wanted, `capacity by ${group}`);
}

/** only: of these deals and no others, whatever the threshold of the workspace. */
async function demandAgrees(
  { sql, one, stored }: Asking,
  group: (typeof ASKED_BY)[number],
  weighted: boolean,
  only?: number[],
) {
  const [ids, threshold] = only ? [only.map((deal) => stored.deals[deal] ?? ""), 0] : [null, null];
  const rows = await sql<{ week: string; key: string | null; level: string | null }[]>`
    select week::text, key, level, hours::float8, critical_hours::float8, unstaffed_hours::float8, deals
    from public.demand_weeks(${stored.workspaceId}, ${formatDay(one.from)}, ${one.weeks}, ${group}, ${weighted ? "weighted" : "unweighted"}, ${ids}, ${threshold})`;
  const found: Numbers = new Map(rows.map(({ week, key, level, ...hours }) => [place(week, place(key, level)), hours]));
  const wanted: Numbers = new Map();
  const deals = new Map<string, Set<number>>();
  for (const { line, week, hours, unstaffed, rate } of demand(one, only)) {
    const asked = one.lines[line] as LineCase;
    const at = place(formatDay(week), askedBucket(group, asked, stored));
    const share = weighted ? rate : 1;
    const several = deals.get(at) ?? new Set();
    deals.set(at, several.add(asked.deal));
    add(wanted, at, {
      hours: hours * share,
      critical_hours: asked.critical ? hours * share : 0,
      unstaffed_hours: unstaffed * share,
    });
  }
  for (const [at, several] of deals) add(wanted, at, { deals: several.size });
  same(found, wanted, `demand by ${group}`);
}

async function overAgrees({ sql, one, stored }: Asking) {
  const rows = await sql<{ id: string; week: string; promises: number }[]>`
    select employee_id as id, week::text, capacity::float8, allocated::float8, over::float8, jsonb_array_length(allocations) as promises
    from public.over_allocations(${stored.workspaceId}, ${formatDay(one.from)}, ${one.weeks})`;
  const found: Numbers = new Map(rows.map(({ id, week, ...hours }) => [place(week, id), hours]));
  const wanted: Numbers = new Map();
  for (const week of weeksOf(one))
    for (const [index, person] of one.people.entries()) {
      const hours = weekOf(one, person, week);
      const promises = person.allocations.filter(
        ({ firm, start, end }) => firm && start <= week + 6 && (end ?? week) >= week,
      );
      if (hours.over > 0.005)
        add(wanted, place(formatDay(week), stored.people[index] ?? ""), { ...hours, promises: promises.length });
    }
  same(found, wanted, "over-allocation");
}

// Who helps out, whom to hire, who could take a place --------------------------------------------------------------------

async function coverAgrees({ sql, one, stored }: Asking, weighted: boolean) {
  const rows = await sql<Record<"week" | "skill_key" | "category" | "level" | "used" | "used_level", string | null>[]>`
    select week::text, skill_key, category, level, alternatives, is_critical, asked::float8, pass, coalesce(used_skill, used_category) as used,
      used_level, hours::float8
    from public.demand_cover(${stored.workspaceId}, ${formatDay(one.from)}, ${one.weeks}, ${weighted ? "weighted" : "unweighted"})`;
  const found: Numbers = new Map();
  const wanted: Numbers = new Map();
  for (const { week, skill_key, category, level, used, used_level, ...row } of rows) {
    const { alternatives, is_critical, hours, pass } = row as unknown as {
      alternatives: string[];
      is_critical: boolean;
      hours: number;
      pass: number | null;
    };
    const who = JSON.stringify([is_critical, skill_key, category, level, alternatives]);
    add(found, place(week, who, pass === null ? "nobody" : place(used, used_level)), { hours });
  }
  for (const { week, profile, used, hours } of cover(one, weighted)) {
    const [critical, , skill, category, level, names] = JSON.parse(profile);
    const who = JSON.stringify([critical, skill, category, level, names]);
    add(wanted, place(formatDay(week), who, used === null ? "nobody" : used.replace("/", " ")), { hours });
  }
  same(found, wanted, "cover");
}

async function hiringAgrees({ sql, one, stored }: Asking, weighted: boolean, today: Day) {
  const rows = await sql<
    { wanted: string; people: number; needed_by: string; open_by: string; late: boolean; is_critical: boolean }[]
  >`
    select jsonb_build_array(skill_key, category, level) as wanted, people, needed_by::text, open_by::text, late, is_critical
    from public.hiring_need(${stored.workspaceId}, ${formatDay(one.from)}, ${one.weeks}, ${weighted ? "weighted" : "unweighted"})`;
  const found = rows.map((row) => ({ ...row, wanted: JSON.stringify(row.wanted) }));
  const right = hires(one, weighted).map(({ wanted, people, neededBy, openBy, critical }) => ({
    wanted,
    people,
    needed_by: formatDay(neededBy),
    open_by: formatDay(openBy),
    late: openBy < today,
    is_critical: critical,
  }));
  const sorted = (list: typeof found) => [...list].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  expect(sorted(found)).toEqual(sorted(right));
  compared += found.length;
}

async function candidatesAgree({ sql, one, stored }: Asking, today: Day) {
  for (const [index, line] of one.lines.slice(0, 2).entries()) {
    const rows = await sql<{ id: string; skill_key: string }[]>`
      select employee_id as id, match, asked_hours::float8 as asked, free_hours::float8 as free, score
      from public.staffing_candidates(${stored.lines[index] ?? ""})`;
    const found: Numbers = new Map(
      rows.map(({ id, skill_key: _, ...row }) => [id, row as unknown as Record<string, number>]),
    );
    const wanted: Numbers = new Map();
    for (const [who, person] of one.people.entries()) {
      const match = person.deleted ? null : matchOf(line, person);
      if (match === null) continue;
      const { asked, free } = freeFor(one, line, person, today);
      const score = asked > 0 ? (match * free) / asked : 0;
      const given = found.get(stored.people[who] ?? "")?.score;
      // A half is rounded up or down by the last digit of a float.
      const rounded = given !== undefined && Math.abs(given - score) <= 0.5 + 1e-9 ? given : Math.round(score);
      add(wanted, stored.people[who] ?? "", { match, asked, free, score: rounded });
    }
    same(found, wanted, "candidates");
    expect(found.size).toBe(wanted.size);
  }
}

/** Of the zone's calendar, without any SQL. */
const dayIn = (zone: string, now: Date): Day =>
  parseDay(new Intl.DateTimeFormat("en-CA", { timeZone: zone, dateStyle: "short" }).format(now)) as Day;

const sql = openSql();
afterAll(() => sql.end());

class Undone extends Error {}

test(`every number of ${CASES} workspaces by chance is the one of a plain walk through the days (seed ${SEED})`, async () => {
  const everything = sql.begin(async (tx) => {
    const { email } = newPerson("owner", `days-${process.pid}`);
    const [owner] = await tx<{ id: string; now: Date }[]>`
      insert into auth.users (id, email, aud, role) values (gen_random_uuid(), ${email}, 'authenticated', 'authenticated') returning id, now()`;
    if (owner === undefined) throw new Error("There is no owner.");
    await tx`select set_config('request.jwt.claims', ${JSON.stringify({ sub: owner.id, role: "authenticated" })}, true)`;
    const agree = async (one: PlanningCase) => {
      const asking: Asking = { sql: tx, one, stored: await storeCase(tx, owner.id, one) };
      const today = dayIn(one.zone, owner.now);
      // By skill always, of the other ways to ask one each: all have their turn.
      const turn = one.weeks + one.lines.length;
      const weighted = turn % 2 === 0;
      await capacityAgrees(asking, "skill", weighted);
      await capacityAgrees(asking, GROUPS[turn % GROUPS.length] as (typeof GROUPS)[number], !weighted);
      await demandAgrees(asking, ASKED_BY[turn % ASKED_BY.length] as (typeof ASKED_BY)[number], one.rules.trust);
      const live = [...one.deals.keys()].filter((deal) => !one.deals[deal]?.deleted);
      await demandAgrees(asking, "skill", weighted, live.slice(turn % 3));
      await overAgrees(asking);
      await coverAgrees(asking, weighted);
      await hiringAgrees(asking, !weighted, today);
      await candidatesAgree(asking, today);
    };
    await fc.assert(fc.asyncProperty(planningCases, agree), { seed: SEED, numRuns: CASES, endOnFailure: true });
    throw new Undone();
  });
  await everything.catch((error) => {
    if (!(error instanceof Undone)) throw error;
  });
  // Workspaces in which nothing happens would prove little.
  expect(compared).toBeGreaterThan(50 * CASES);
});
