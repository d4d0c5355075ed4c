import type { Json } from "@pipeline-crm/shared-types";
import { beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../../scripts/lib/people.ts";
import { newWorld, type World } from "../support/world.ts";

interface Answer<T> {
  data: T;
  error: { code?: string; message: string; hint?: string | null } | null;
}

function got<T>({ data, error }: Answer<T>): NonNullable<T> {
  if (error) throw new Error(`${error.code} ${error.message}`);
  if (data === null || data === undefined) throw new Error("There was no answer.");
  return data;
}

/** Code and field of a refusal. */
const refusal = ({ error }: Answer<unknown>) => (error ? [error.code, error.hint ?? null] : "allowed");

/** The pipeline as an app works with it: supabase-js, the publishable key, signed-in people. */
describe("planning deals through supabase-js", () => {
  let world: World;
  let strangers: World;
  const w = () => world.workspaceId;
  const member = () => world.people.member;
  const create = async (project: Json, resourceDemand: Json = [], who: Client = member()) =>
    who.rpc("create_pipeline_project", { workspace_id: w(), project, resource_demand: resourceDemand });
  const listed = (who: Client = member()) =>
    who.from("pipeline_project_list").select("name").eq("workspace_id", w()).order("name");
  const deals = async () =>
    (await member().from("pipeline_projects").select("*", { count: "exact", head: true }).eq("workspace_id", w()))
      .count;

  beforeAll(async () => {
    [world, strangers] = await Promise.all([newWorld(), newWorld()]);
    const skills = ["react", "sql"].map((key) => ({ workspace_id: w(), key, label: key.toUpperCase() }));
    got(await world.people.admin.from("skills").insert(skills).select("key"));
  });

  test("a deal is created with every field of the create request, and its demand", async () => {
    const deal = got(
      await create(
        {
          name: "Bridge",
          description: "Two lanes over the river",
          client_name: "City of Acme",
          client_contact: { name: "Ann", email: "ann@acme.example", phone: "+41 44 000 00 00" },
          stage: "Proposal",
          priority: "high",
          probability: 55,
          estimated_value: 1000,
          estimated_start_date: "2027-03-01",
          estimated_duration: 90,
          required_skills: ["React", "SQL"],
          competitor_info: [{ name: "Rival", strengths: ["price"] }],
          risk_factors: [{ type: "budget", severity: "high" }],
          notes: "Met at the fair.",
          tags: ["vip"],
          expected_close_date: "2027-01-31",
        },
        [
          {
            skill_category: "react",
            experience_level: "senior",
            required_count: 2,
            allocation_percentage: 50,
            start_date: "2027-03-01",
            end_date: "2027-05-29",
            hourly_rate: 95.5,
            is_critical: true,
            alternatives: ["sql"],
          },
          { skill_category: "Welding" },
        ],
      ),
    );
    expect(deal).toMatchObject({
      stage_key: "proposal",
      priority: "high",
      weighted_value: 550,
      required_skills: ["react", "sql"],
      client_contact: { name: "Ann", email: "ann@acme.example", phone: "+41 44 000 00 00" },
      estimated_duration: 90,
      currency: "USD",
    });
    const card = await member()
      .from("pipeline_project_list")
      .select("stage_label, weighted_value, availability_score, availability_reasons, demand_people, open_critical")
      .eq("id", deal.id)
      .single();
    expect(got(card)).toEqual({
      stage_label: "Proposal",
      weighted_value: 550,
      availability_score: null,
      availability_reasons: [],
      demand_people: 3,
      open_critical: 2,
    });
    const demand = await member()
      .from("pipeline_resource_demands")
      .select("skill_key, level, hourly_rate, alternatives")
      .eq("pipeline_project_id", deal.id)
      .order("required_count", { ascending: false });
    expect(got(demand)).toEqual([
      { skill_key: "react", level: "senior", hourly_rate: 95.5, alternatives: ["sql"] },
      { skill_key: null, level: null, hourly_rate: null, alternatives: [] },
    ]);
  });

  test("each filter of the list finds what it should", async () => {
    got(
      await create({
        name: "Roof",
        client_name: "Village",
        stage: "lead",
        priority: "low",
        estimated_value: 300,
        required_skills: ["sql"],
        estimated_start_date: "2028-01-01",
      }),
    );
    const owner = (await member().auth.getUser()).data.user?.id ?? "";
    got(await create({ name: "Wall", stage: "closed_won", estimated_value: 700, owner_id: owner, tags: ["old"] }));
    const found = {
      stage: listed().in("stage_key", ["lead", "won"]),
      "kind of stage": listed().eq("stage_kind", "open"),
      priority: listed().eq("priority", "high"),
      clientName: listed().ilike("client_name", "%village%"),
      probabilityMin: listed().gte("probability", 55),
      probabilityMax: listed().lte("probability", 55),
      valueMin: listed().gte("estimated_value", 700),
      valueMax: listed().lte("estimated_value", 700),
      search: listed().ilike("search_text", "%over the river%"),
      "one skill": listed().contains("required_skills", '["sql"]'),
      "two skills": listed().contains("required_skills", '["sql","react"]'),
      "days from and to": listed().gte("estimated_start_date", "2027-01-01").lt("estimated_start_date", "2028-01-01"),
      owner: listed().eq("owner_id", owner),
      tag: listed().contains("tags", '["vip"]'),
      nothing: listed().eq("priority", "critical"),
    };
    const names: Record<string, string> = {};
    for (const [filter, query] of Object.entries(found)) {
      names[filter] = got(await query)
        .map(({ name }) => name)
        .join(" ");
    }
    expect(names).toEqual({
      stage: "Roof Wall",
      "kind of stage": "Bridge Roof",
      priority: "Bridge",
      clientName: "Roof",
      probabilityMin: "Bridge Wall",
      probabilityMax: "Bridge Roof",
      valueMin: "Bridge Wall",
      valueMax: "Roof Wall",
      search: "Bridge",
      "one skill": "Bridge Roof",
      "two skills": "Bridge",
      "days from and to": "Bridge",
      owner: "Wall",
      tag: "Bridge",
      nothing: "",
    });
  });

  test("the pipeline is read stage by stage, with the deals of each", async () => {
    const stages = await member()
      .from("pipeline_stages")
      .select("key, deals:pipeline_projects(name)")
      .eq("workspace_id", w())
      .is("deals.deleted_at", null)
      .order("position");
    const filled = got(stages).filter(({ deals }) => deals.length > 0);
    expect(filled).toEqual([
      { key: "lead", deals: [{ name: "Roof" }] },
      { key: "proposal", deals: [{ name: "Bridge" }] },
      { key: "won", deals: [{ name: "Wall" }] },
    ]);
  });

  test("two people drag one card: the second is told, and the history has the one move", async () => {
    const [a, b] = [got(await create({ name: "A" })), got(await create({ name: "B" }))];
    const seen = a.updated_at;
    const dropped = await member().rpc("place_deal", {
      deal_id: a.id,
      after_deal_id: b.id,
      expected_updated_at: seen,
    });
    expect(got(dropped).board_position).toBeGreaterThan(0);
    const column = await member()
      .from("pipeline_project_list")
      .select("name")
      .eq("workspace_id", w())
      .eq("stage_key", "lead")
      .order("board_position", { nullsFirst: false })
      .order("created_at")
      .order("id");
    expect(got(column).map(({ name }) => name)).toEqual(["Roof", "B", "A"]);

    const late = await world.people.admin.rpc("place_deal", {
      deal_id: a.id,
      stage: "proposal",
      expected_updated_at: seen,
    });
    expect(late.error?.code).toBe("PC008");
    const now = got(dropped).updated_at;
    const moved = await world.people.admin.rpc("place_deal", {
      deal_id: a.id,
      stage: "Proposal",
      expected_updated_at: now,
    });
    expect(got(moved)).toMatchObject({ stage_key: "proposal", probability: 60 });
    const history = await member()
      .from("pipeline_stage_history")
      .select("from_stage, to_stage")
      .eq("pipeline_project_id", a.id)
      .order("changed_at");
    expect(got(history)).toEqual([
      { from_stage: null, to_stage: "lead" },
      { from_stage: "lead", to_stage: "proposal" },
    ]);
  });

  test("a deal and its demand are changed in one call, and not by who has seen an older version", async () => {
    const deal = got(await create({ name: "Hall" }, [{ skill_key: "react", required_count: 2 }, { skill_key: "sql" }]));
    const lines = got(
      await member()
        .from("pipeline_resource_demands")
        .select("id, skill_key")
        .eq("pipeline_project_id", deal.id)
        .order("skill_key"),
    );
    const react = lines.find(({ skill_key }) => skill_key === "react")?.id ?? "";
    const update = (changes: Json, resourceDemand?: Json, expected?: string) =>
      member().rpc("update_pipeline_project", {
        deal_id: deal.id,
        changes,
        ...(resourceDemand === undefined ? {} : { resource_demand: resourceDemand }),
        ...(expected === undefined ? {} : { expected_updated_at: expected }),
      });
    const demand = [{ id: react, required_count: 5 }, { skill_category: "Welding" }];
    expect(got(await update({ stage: "negotiation", notes: "Soon" }, demand, deal.updated_at))).toMatchObject({
      stage_key: "negotiation",
      probability: 80,
      notes: "Soon",
      name: "Hall",
    });
    const after = await member()
      .from("pipeline_resource_demands")
      .select("id, skill_category, required_count")
      .eq("pipeline_project_id", deal.id)
      .order("required_count", { ascending: false });
    expect(got(after)).toMatchObject([
      { id: react, required_count: 5 },
      { skill_category: "Welding", required_count: 1 },
    ]);
    expect((await update({ name: "Mine" }, [], deal.updated_at)).error?.code).toBe("PC008");
    expect((await update({ name: "Mine" }, [{ id: deal.id }])).error?.code).toBe("PC001");
    const left = await member().from("pipeline_projects").select("name").eq("id", deal.id).single();
    expect(got(left).name).toBe("Hall");
  });

  test("bad input is refused by field, and nothing is half-written", async () => {
    const before = await deals();
    const line = (more: Record<string, Json>): Json => [
      { skill_category: "react" },
      { skill_category: "sql", ...more },
    ];
    const refused = {
      "probability -1": refusal(await create({ name: "X", probability: -1 })),
      "probability 101": refusal(await create({ name: "X", probability: 101 })),
      "probability NaN": refusal(await create({ name: "X", probability: "NaN" })),
      "value NaN": refusal(await create({ name: "X", estimated_value: "NaN" })),
      "value Infinity": refusal(await create({ name: "X", estimated_value: "Infinity" })),
      "unknown stage": refusal(await create({ name: "X", stage: "nonsense" })),
      "unknown skill": refusal(await create({ name: "X", required_skills: ["telepathy"] })),
      "unknown field": refusal(await create({ name: "X", colour: "red" })),
      "no day": refusal(await create({ name: "X", estimated_start_date: "2027-02-29" })),
      "negative duration": refusal(await create({ name: "X", estimated_duration: -5 })),
      "end before start": refusal(
        await create({ name: "X" }, line({ start_date: "2027-02-02", end_date: "2027-02-01" })),
      ),
      "rate NaN": refusal(await create({ name: "X" }, line({ hourly_rate: "NaN" }))),
      "nobody asked for": refusal(await create({ name: "X" }, line({ required_count: 0 }))),
      "120 % of a person": refusal(await create({ name: "X" }, line({ allocation_percentage: 120 }))),
      "unknown skill asked for": refusal(await create({ name: "X" }, line({ skill_key: "telepathy" }))),
      "unknown alternative": refusal(await create({ name: "X" }, line({ alternatives: ["telepathy"] }))),
      "unknown field of a line": refusal(await create({ name: "X" }, line({ colour: "red" }))),
    };
    expect(refused).toEqual({
      "probability -1": ["23514", "probability"],
      "probability 101": ["23514", "probability"],
      "probability NaN": ["PC004", "probability"],
      "value NaN": ["23514", "estimated_value"],
      "value Infinity": ["PC004", "estimated_value"],
      "unknown stage": ["PC004", "stage"],
      "unknown skill": ["PC004", "required_skills"],
      "unknown field": ["PC004", "colour"],
      "no day": ["PC004", "estimated_start_date"],
      "negative duration": ["23514", "estimated_duration"],
      "end before start": ["23514", "resource_demand.1.start_date, resource_demand.1.end_date"],
      "rate NaN": ["23514", "resource_demand.1.hourly_rate"],
      "nobody asked for": ["23514", "resource_demand.1.required_count"],
      "120 % of a person": ["23514", "resource_demand.1.allocation_percentage"],
      "unknown skill asked for": ["PC004", "resource_demand.1.skill_key"],
      "unknown alternative": ["PC004", "resource_demand.1.alternatives"],
      "unknown field of a line": ["PC004", "resource_demand.1.colour"],
    });
    expect(await deals()).toBe(before);
  });

  test("what belongs to somebody else is neither seen nor touched", async () => {
    const deal = got(await create({ name: "Ours" }));
    const { member: stranger } = strangers.people;
    expect((await create({ name: "X" }, [], stranger)).error?.code).toBe("PC001");
    expect((await create({ name: "X" }, [], world.people.viewer)).error?.code).toBe("PC002");
    expect(got(await listed(stranger))).toEqual([]);
    expect(got(await listed(world.people.viewer)).length).toBeGreaterThan(0);
    const theirs = { deal_id: deal.id, changes: { name: "Mine" } };
    expect((await stranger.rpc("update_pipeline_project", theirs)).error?.code).toBe("PC001");
    expect((await world.people.viewer.rpc("update_pipeline_project", theirs)).error?.code).toBe("PC002");
    expect((await stranger.rpc("place_deal", { deal_id: deal.id })).error?.code).toBe("PC001");
    const { id: company } = got(
      await stranger
        .from("crm_companies")
        .insert({ workspace_id: strangers.workspaceId, name: "Theirs" })
        .select("id")
        .single(),
    );
    expect(refusal(await create({ name: "X", company_id: company }))).toEqual(["23503", "company_id"]);
  });
});
