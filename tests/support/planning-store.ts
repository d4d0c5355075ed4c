import type { TransactionSql } from "postgres";
import { type Day, formatDay } from "../../supabase/functions/_shared/planning/time/days.ts";
import { type PlanningCase, SKILLS } from "./planning-cases.ts";

/** Ids in the order of the case. */
export interface Stored {
  workspaceId: string;
  teams: string[];
  people: string[];
  deals: string[];
  lines: string[];
}

type Row = Record<string, unknown>;
const dateOf = (value: Day | null) => (value === null ? null : formatDay(value));

/** A workspace of its own for the case, with an owner who is there already. */
export async function storeCase(sql: TransactionSql, ownerId: string, one: PlanningCase): Promise<Stored> {
  const [workspace] = await sql<{ id: string }[]>`
    insert into public.workspaces (name, slug, time_zone) values ('Case', 'case-' || gen_random_uuid(), ${one.zone}) returning id`;
  const workspaceId = workspace?.id ?? "";
  await sql`insert into public.workspace_members (workspace_id, user_id, role) values (${workspaceId}, ${ownerId}, 'owner')`;
  const insert = async (table: string, rows: Row[]): Promise<string[]> => {
    if (rows.length === 0) return [];
    const all = rows.map((row) => ({ workspace_id: workspaceId, ...row }));
    return (
      await sql`insert into ${sql(`public.${table}`)} ${sql(all)} returning to_jsonb(${sql(table)}) ->> 'id' as id`
    ).map(({ id }) => id);
  };
  await storeRules(sql, workspaceId, one);
  // Known under older names first: whoever wrote those goes on meaning the same.
  await insert(
    "skills",
    [...SKILLS].map(([key, category]) => ({
      key: key === "joinery" ? "join" : key,
      label: key.toUpperCase(),
      category,
    })),
  );
  await insert("skill_aliases", [{ alias: "shingles", skill_key: "roofing" }]);
  const calendars = await storeCalendars(sql, workspaceId, one, insert);
  const teams = await insert("teams", [{ name: "Red" }, { name: "Blue" }]);
  const deals = await insert("pipeline_projects", one.deals.map(dealRow));
  const lines = await insert("pipeline_resource_demands", lineRows(one, deals));
  const people = await insert("employees", peopleRows(one, teams, calendars));
  await insert("employee_skills", skillRows(one, people));
  await insert("employee_time_off", timeOffRows(one, people));
  await insert("employee_allocations", allocationRows(one, people, lines));
  for (const key of ["joining", "joinery"])
    await sql`update public.skills set key = ${key}, archived_at = now() where workspace_id = ${workspaceId} and category = 'wood' and key like 'join%'`;
  return { workspaceId, teams, people, deals, lines };
}

async function storeRules(sql: TransactionSql, workspaceId: string, { rules }: PlanningCase): Promise<void> {
  await sql`
    update public.planning_settings set confidence_threshold = ${rules.threshold}, trust_deals = ${rules.trust},
      template_key = ${rules.template ? "construction" : null}, hiring_lead_weeks = ${rules.lead},
      hiring_availability = ${rules.availability}, hiring_min_weeks = ${rules.lasting} where workspace_id = ${workspaceId}`;
}

type Insert = (table: string, rows: Row[]) => Promise<string[]>;

async function storeCalendars(sql: TransactionSql, workspaceId: string, { calendars }: PlanningCase, insert: Insert) {
  const [usual, other] = calendars;
  const [own] = await sql<{ id: string }[]>`
    update public.working_calendars set hours = ${[...(usual?.hours ?? [])]} where workspace_id = ${workspaceId} returning id`;
  const [second] = await insert("working_calendars", [{ name: "Other", hours: [...(other?.hours ?? [])] }]);
  const ids = [own?.id, second];
  const holidays = calendars.flatMap((calendar, index) =>
    calendar.holidays.map(({ day, share }) => ({ calendar_id: ids[index], day: formatDay(day), share })),
  );
  await insert("calendar_holidays", holidays);
  // Who follows the calendar of the workspace need not say so.
  return [null, second];
}

const dealRow = ({ stage, probability, start, days, deleted }: PlanningCase["deals"][number]): Row => ({
  name: "Deal",
  stage_key: stage,
  probability,
  estimated_start_date: dateOf(start),
  estimated_duration: days,
  deleted_at: deleted ? "2026-01-01" : null,
});

const OLD_NAMES: Record<string, string> = { joinery: "Join", roofing: "Shingles", welding: "WELDING" };

const lineRows = (one: PlanningCase, deals: string[]): Row[] =>
  one.lines.map((line) => ({
    pipeline_project_id: deals[line.deal],
    skill_category: OLD_NAMES[line.asked] ?? line.asked,
    experience_level: line.level,
    required_count: line.count,
    allocation_percentage: line.percentage,
    start_date: dateOf(line.start),
    end_date: dateOf(line.end),
    is_critical: line.critical,
    priority: line.priority,
    alternatives: line.alternatives.map((name) => OLD_NAMES[name] ?? name),
  }));

const peopleRows = (one: PlanningCase, teams: string[], calendars: (string | null | undefined)[]): Row[] =>
  one.people.map(({ calendar, fte, employed, team, deleted }, index) => ({
    name: `Person ${index}`,
    fte,
    working_calendar_id: calendars[calendar] ?? null,
    team_id: team === null ? null : (teams[team] ?? null),
    employed_from: formatDay(employed.start),
    employed_to: dateOf(employed.end),
    deleted_at: deleted ? "2026-01-01" : null,
  }));

const skillRows = (one: PlanningCase, people: string[]): Row[] =>
  one.people.flatMap(({ skills }, index) =>
    skills.map(({ skill, level }) => ({ employee_id: people[index], skill_key: OLD_NAMES[skill] ?? skill, level })),
  );

const timeOffRows = (one: PlanningCase, people: string[]): Row[] =>
  one.people.flatMap(({ timeOff }, index) =>
    timeOff.map(({ start, end, share }) => ({
      employee_id: people[index],
      start_date: formatDay(start),
      end_date: formatDay(end),
      share,
    })),
  );

const allocationRows = (one: PlanningCase, people: string[], lines: string[]): Row[] =>
  one.people.flatMap(({ allocations }, index) =>
    allocations.map(({ start, end, percentage, firm, line }) => ({
      employee_id: people[index],
      start_date: formatDay(start),
      end_date: dateOf(end),
      percentage,
      status: firm ? "firm" : "tentative",
      demand_id: line === null ? null : (lines[line] ?? null),
    })),
  );
