import { beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../../scripts/lib/people.ts";
import { codeOf, got } from "../support/answers.ts";
import { newWorld, type World } from "../support/world.ts";

/**
 * Two weeks of a building firm around Easter 2027, in the night between which the clocks go forward. A working week has 36
 * hours, four of them on Friday; with Maundy Thursday half off, Good Friday and Easter Monday both weeks have 28.
 */
const HOLY_WEEK = "2027-03-22";
const EASTER_WEEK = "2027-03-29";

describe("planning people through supabase-js", () => {
  let world: World;
  let strangers: World;
  let mia = "";
  let otto = "";
  let demand = "";
  let calendar = "";
  const w = () => world.workspaceId;
  const { owner, admin, member, viewer } = {
    owner: () => world.people.owner,
    admin: () => world.people.admin,
    member: () => world.people.member,
    viewer: () => world.people.viewer,
  };
  const weeks = (group_by: string, who: Client = viewer()) =>
    who.rpc("capacity_weeks", { workspace_id: w(), from_date: HOLY_WEEK, weeks: 2, group_by, weighting: "unweighted" });
  const weeksOf = async (key: string, group = "person") =>
    got(await weeks(group))
      .filter((row) => row.key === key)
      .map(({ capacity, allocated, free, over }) => ({ capacity, allocated, free, over }));

  beforeAll(async () => {
    [world, strangers] = await Promise.all([newWorld(), newWorld()]);
  });

  test("the owner says what work there is, and when nobody works", async () => {
    got(await owner().from("workspaces").update({ time_zone: "Europe/Zurich" }).eq("id", w()).select("id").single());
    const skills = [
      { workspace_id: w(), key: "roofing", label: "Roofing", category: "roof" },
      { workspace_id: w(), key: "carpentry", label: "Carpentry", category: "wood" },
    ];
    got(await owner().from("skills").insert(skills).select("key"));
    got(
      await owner()
        .from("skill_aliases")
        .insert({ workspace_id: w(), alias: "slating", skill_key: "roofing" })
        .select("alias"),
    );
    const settings = await owner()
      .from("planning_settings")
      .select("default_calendar_id")
      .eq("workspace_id", w())
      .single();
    calendar = got(settings).default_calendar_id;
    got(
      await owner()
        .from("working_calendars")
        .update({ hours: [8, 8, 8, 8, 4, 0, 0] })
        .eq("id", calendar)
        .select("id"),
    );
    const holidays = [
      { day: "2027-03-25", name: "Maundy Thursday", share: 0.5 },
      { day: "2027-03-26", name: "Good Friday", share: 1 },
      { day: "2027-03-29", name: "Easter Monday", share: 1 },
    ].map((holiday) => ({ ...holiday, workspace_id: w(), calendar_id: calendar }));
    expect(got(await owner().from("calendar_holidays").insert(holidays).select("day"))).toHaveLength(3);
  });

  test("a member adds herself, half-time from a Wednesday on, and what she can do", async () => {
    const me = (await member().auth.getUser()).data.user?.id ?? "";
    const row = { workspace_id: w(), name: "Mia", user_id: me, fte: 0.5, employed_from: "2027-03-24" };
    mia = got(await member().from("employees").insert(row).select("id").single()).id;
    const mine = { workspace_id: w(), employee_id: mia };
    const skills = await member()
      .from("employee_skills")
      .insert([
        { ...mine, skill_key: "Carpentry", level: "mid", years: 4 },
        { ...mine, skill_key: "SLATING", level: "junior", years: 1 },
      ])
      .select("skill_key, is_primary");
    expect(got(skills)).toEqual([
      { skill_key: "carpentry", is_primary: true },
      { skill_key: "roofing", is_primary: false },
    ]);
    expect(await weeksOf(mia)).toEqual([
      { capacity: 6, allocated: 0, free: 6, over: 0 },
      { capacity: 14, allocated: 0, free: 14, over: 0 },
    ]);
  });

  test("she adds a skill that she has: a second time changes nothing, and not the primary one", async () => {
    const again = { workspace_id: w(), employee_id: mia, skill_key: "roofing", is_primary: true };
    const upsert = await member()
      .from("employee_skills")
      .upsert(again, { onConflict: "workspace_id,employee_id,skill_key", ignoreDuplicates: true });
    expect(codeOf(upsert)).toBe("allowed");
    const primary = await member()
      .from("employee_skills")
      .select("skill_key")
      .eq("employee_id", mia)
      .eq("is_primary", true);
    expect(got(primary)).toEqual([{ skill_key: "carpentry" }]);
  });

  test("her day off takes its hours; a viewer sees the hours and not the reason", async () => {
    const day = { workspace_id: w(), employee_id: mia, start_date: "2027-03-30", end_date: "2027-03-30" };
    got(
      await member()
        .from("employee_time_off")
        .insert({ ...day, kind: "sick" })
        .select("id"),
    );
    expect(codeOf(await member().from("employee_time_off").insert(day))).toBe("23P01");
    expect(got(await viewer().from("employee_time_off").select("id").eq("workspace_id", w()))).toEqual([]);
    expect((await weeksOf(mia)).map(({ capacity }) => capacity)).toEqual([6, 10]);
  });

  test("a deal asks for two senior roofers, of whom one is half promised", async () => {
    const person = { workspace_id: w(), name: "Otto", employed_from: "2020-01-01" };
    otto = got(await admin().from("employees").insert(person).select("id").single()).id;
    got(
      await admin()
        .from("employee_skills")
        .insert({ workspace_id: w(), employee_id: otto, skill_key: "roofing", level: "lead" })
        .select("id"),
    );
    const deal = await member()
      .from("pipeline_projects")
      .insert({
        workspace_id: w(),
        name: "Barn",
        stage_key: "proposal",
        estimated_start_date: HOLY_WEEK,
        estimated_duration: 14,
      })
      .select("id")
      .single();
    const line = await member()
      .from("pipeline_resource_demands")
      .insert({
        workspace_id: w(),
        pipeline_project_id: got(deal).id,
        skill_category: "Slating",
        experience_level: "Sr.",
        required_count: 2,
        alternatives: ["Carpentry"],
      })
      .select("id, skill_key, level, alternatives")
      .single();
    expect(got(line)).toMatchObject({ skill_key: "roofing", level: "senior", alternatives: ["carpentry"] });
    demand = got(line).id;
    const half = { workspace_id: w(), employee_id: otto, demand_id: demand, percentage: 50 };
    got(
      await admin()
        .from("employee_allocations")
        .insert({ ...half, start_date: HOLY_WEEK, end_date: "2027-04-04" })
        .select("id"),
    );
    const rows = got(await weeks("skill")).filter(({ key }) => key === "roofing");
    const shown = rows.map(({ week, level, free, demand, weighted_demand, gap }) => ({
      week,
      level,
      free,
      demand,
      weighted_demand,
      gap,
    }));
    // 2 × 28 hours, less the 14 that Otto gives.
    const each = (week: string) => [
      { week, level: "lead", free: 14, demand: 0, weighted_demand: 0, gap: -14 },
      { week, level: "senior", free: 0, demand: 42, weighted_demand: 25.2, gap: 42 },
    ];
    expect(shown).toEqual([...each(HOLY_WEEK), ...each(EASTER_WEEK)]);
  });

  test("she promises herself one and a half times, and everybody sees it", async () => {
    const days = { workspace_id: w(), employee_id: mia, start_date: "2027-03-31", end_date: "2027-04-02" };
    const promises = [
      { ...days, percentage: 100 },
      { ...days, percentage: 50 },
      { ...days, percentage: 100, status: "tentative" },
    ];
    got(await member().from("employee_allocations").insert(promises).select("id"));
    expect((await weeksOf(mia))[1]).toEqual({ capacity: 10, allocated: 15, free: -5, over: 5 });
    const over = await viewer().rpc("over_allocations", { workspace_id: w(), from_date: HOLY_WEEK, weeks: 2 });
    expect(got(over)).toMatchObject([
      { employee_name: "Mia", week: EASTER_WEEK, capacity: 10, allocated: 15, over: 5 },
    ]);
    expect(got(over)[0]?.allocations).toHaveLength(2);
  });

  test("who helps out, whom to hire, and who could take the place", async () => {
    const question = { workspace_id: w(), from_date: HOLY_WEEK, weeks: 2, weighting: "unweighted" };
    const cover = got(await viewer().rpc("demand_cover", question));
    expect(cover.map(({ week, used_skill, used_level, hours }) => [week, used_skill, used_level, hours])).toEqual([
      [HOLY_WEEK, "roofing", "lead", 14],
      [HOLY_WEEK, "carpentry", "mid", 6],
      [HOLY_WEEK, null, null, 22],
      [EASTER_WEEK, "roofing", "lead", 14],
      [EASTER_WEEK, null, null, 28],
    ]);
    // One person works 36 × 0.85 hours; eight weeks to find somebody.
    expect(got(await viewer().rpc("hiring_need", question))).toMatchObject([
      { skill_key: "roofing", level: "senior", people: 1, needed_by: HOLY_WEEK, open_by: "2027-01-25" },
    ]);
    const candidates = got(await viewer().rpc("staffing_candidates", { demand_id: demand }));
    expect(candidates).toMatchObject([
      { name: "Otto", skill_key: "roofing", match: 95, asked_hours: 56, free_hours: 28 },
      { name: "Mia", skill_key: "carpentry", match: 55, asked_hours: 56, free_hours: 6 },
    ]);
    expect(candidates).toHaveLength(2);
  });

  test("a viewer writes nothing, a member neither the lists nor what others are", async () => {
    const of = { workspace_id: w(), employee_id: otto };
    const days = { start_date: HOLY_WEEK, end_date: HOLY_WEEK };
    const skill = { workspace_id: w(), key: "welding", label: "Welding" };
    expect(
      [
        await viewer().from("employees").insert({ workspace_id: w(), name: "Ghost" }),
        await viewer()
          .from("employee_skills")
          .insert({ ...of, skill_key: "carpentry" }),
        await viewer()
          .from("employee_time_off")
          .insert({ ...of, ...days }),
        await viewer()
          .from("employee_allocations")
          .insert({ ...of, ...days }),
        await viewer().from("skills").insert(skill),
        await member().from("skills").insert(skill),
        await member().from("calendar_holidays").insert({ workspace_id: w(), calendar_id: calendar, day: HOLY_WEEK }),
      ].map(codeOf),
    ).toEqual(Array(7).fill("42501"));
    const others = await member().from("employees").update({ name: "Nobody" }).eq("id", otto).select("id");
    expect(got(others)).toEqual([]);
    expect(got(await viewer().from("employees").delete().eq("workspace_id", w()).select("id"))).toEqual([]);
  });

  test("another workspace sees nobody and points to nobody", async () => {
    const stranger = strangers.people.owner;
    for (const table of [
      "employees",
      "employee_skills",
      "employee_allocations",
      "skills",
      "calendar_holidays",
    ] as const)
      expect(got(await stranger.from(table).select("workspace_id").eq("workspace_id", w()))).toEqual([]);
    expect(codeOf(await weeks("person", stranger))).toBe("PC001");
    expect(codeOf(await stranger.rpc("staffing_candidates", { demand_id: demand }))).toBe("PC001");
    const away = { workspace_id: strangers.workspaceId, employee_id: mia, start_date: HOLY_WEEK, end_date: HOLY_WEEK };
    expect(codeOf(await stranger.from("employee_time_off").insert(away))).toBe("23503");
  });

  test("what is in use stays and says so; new hours of the calendar count at once, also for what is past", async () => {
    const { error } = await owner().from("skills").delete().eq("workspace_id", w()).eq("key", "carpentry");
    expect(error).toMatchObject({
      code: "23503",
      message: 'The skill "carpentry" is in use (people: 1, demands: 1).',
    });
    got(
      await owner()
        .from("working_calendars")
        .update({ hours: [8, 8, 8, 8, 8, 0, 0] })
        .eq("id", calendar)
        .select("id"),
    );
    expect((await weeksOf(otto)).map(({ capacity }) => capacity)).toEqual([28, 32]);
  });

  test("a member who leaves the workspace is still planned with", async () => {
    const me = (await member().auth.getUser()).data.user?.id ?? "";
    expect(codeOf(await owner().rpc("remove_member", { workspace_id: w(), user_id: me }))).toBe("allowed");
    expect(got(await member().from("employees").select("id"))).toEqual([]);
    expect(got(await admin().from("employees").select("user_id").eq("id", mia))).toEqual([{ user_id: null }]);
    expect(await weeksOf(mia)).toHaveLength(2);
  });
});
