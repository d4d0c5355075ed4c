import type { SupabaseClient } from "@supabase/supabase-js";
import { beforeAll, describe, expect, test } from "vitest";
import { newWorld, type World } from "../support/world.ts";

/** The calls of docs/api.md for records and deals, as an app makes them: supabase-js, the publishable key, a signed-in member. */
describe("records and deals through supabase-js", () => {
  let world: World;
  let acme: string;

  // Without the generated types, as an app in plain JavaScript has it.
  const member = () => world.people.member as unknown as SupabaseClient;
  const userId = async () => (await member().auth.getUser()).data.user?.id ?? "";
  const w = () => world.workspaceId;

  /** The rows of an answer, or the error that came instead. */
  function rows<T>({ data, error }: { data: T; error: { message: string } | null }): NonNullable<T> {
    if (error) throw error;
    if (data === null || data === undefined) throw new Error("There was no answer.");
    return data;
  }

  beforeAll(async () => {
    world = await newWorld();
    const company = {
      workspace_id: w(),
      name: "Acme Steel",
      website: "https://www.acme.example",
      tags: ["vip"],
      custom_fields: { tier: "gold" },
    };
    acme = rows(await member().from("crm_companies").insert(company).select("id").single()).id;
    rows(
      await member()
        .from("crm_companies")
        .insert([1, 2, 3].map((n) => ({ workspace_id: w(), name: `Other ${n}` })))
        .select("id"),
    );
  });

  test("companies are listed, filtered, sorted, counted and paged", async () => {
    const page = await member()
      .from("crm_companies")
      .select("name", { count: "exact" })
      .eq("workspace_id", w())
      .is("deleted_at", null)
      .order("name")
      .range(0, 1);
    expect([page.count, rows(page).map(({ name }) => name)]).toEqual([4, ["Acme Steel", "Other 1"]]);
    const like = await member().from("crm_companies").select("name").eq("workspace_id", w()).ilike("name", "acme%");
    expect(rows(like)).toEqual([{ name: "Acme Steel" }]);
  });

  test("a company is found by tag and by custom field", async () => {
    const companies = () => member().from("crm_companies").select("id").eq("workspace_id", w());
    expect(rows(await companies().contains("tags", '"vip"'))).toEqual([{ id: acme }]);
    expect(rows(await companies().contains("custom_fields", { tier: "gold" }))).toEqual([{ id: acme }]);
  });

  test("one company is read, and exported as CSV", async () => {
    expect(rows(await member().from("crm_companies").select("domain").eq("id", acme).single())).toEqual({
      domain: "acme.example",
    });
    const csv = rows(await member().from("crm_companies").select("name,domain").eq("id", acme).csv());
    // Whether a value with a space is quoted is the server's choice.
    expect(csv.replaceAll('"', "")).toBe("name,domain\nAcme Steel,acme.example");
  });

  test("what belongs to a company is read by its id", async () => {
    const own = { workspace_id: w(), company_id: acme };
    rows(
      await member()
        .from("crm_contacts")
        .insert({ ...own, first_name: "Ada", email: "ada@acme.example" })
        .select("id"),
    );
    rows(
      await member()
        .from("crm_projects")
        .insert({ ...own, name: "Roll-out" })
        .select("id"),
    );
    rows(
      await member()
        .from("crm_deals")
        .insert({ ...own, name: "Bridge", amount: 1000 })
        .select("id"),
    );
    const related = { workspace_id: w(), related_to_type: "company", related_to_id: acme };
    rows(
      await member()
        .from("crm_notes")
        .insert({ ...related, content: "Called." })
        .select("id"),
    );
    for (const table of ["crm_contacts", "crm_projects", "crm_deals"] as const) {
      expect(rows(await member().from(table).select("id").eq("company_id", acme)), table).toHaveLength(1);
    }
    expect(rows(await member().from("crm_notes").select("content").eq("related_to_id", acme))).toEqual([
      { content: "Called." },
    ]);
    const history = await member()
      .from("crm_activities")
      .select("activity_type")
      .eq("entity_id", acme)
      .order("created_at");
    expect(rows(history)).toEqual([{ activity_type: "created" }]);
  });

  test("a record is deleted softly, restored, and deleted for good", async () => {
    const company = rows(
      await member().from("crm_companies").insert({ workspace_id: w(), name: "Brief" }).select("id").single(),
    );
    const here = async () =>
      rows(await member().from("crm_companies").select("id").eq("id", company.id).is("deleted_at", null)).length;
    rows(
      await member()
        .from("crm_companies")
        .update({ deleted_at: new Date().toISOString() })
        .eq("id", company.id)
        .select("id"),
    );
    expect(await here()).toBe(0);
    rows(await member().from("crm_companies").update({ deleted_at: null }).eq("id", company.id).select("id"));
    expect(await here()).toBe(1);
    rows(await member().from("crm_companies").delete().eq("id", company.id).select("id"));
    const history = await member()
      .from("crm_activities")
      .select("activity_type")
      .eq("entity_id", company.id)
      .order("created_at");
    expect(rows(history).map(({ activity_type }) => activity_type)).toEqual([
      "created",
      "deleted",
      "restored",
      "deleted",
    ]);
  });

  test("my open tasks are listed until they are completed", async () => {
    const me = await userId();
    const task = {
      workspace_id: w(),
      title: "Call",
      task_type: "call",
      assigned_to_id: me,
      related_to_type: "company",
      related_to_id: acme,
    };
    const { id } = rows(await member().from("crm_tasks").insert(task).select("id").single());
    const open = () =>
      member().from("crm_tasks").select("id").eq("assigned_to_id", me).in("status", ["pending", "in_progress"]);
    expect(rows(await open())).toEqual([{ id }]);
    expect(rows(await member().rpc("complete_task", { task_id: id })).status).toBe("completed");
    expect(rows(await open())).toEqual([]);
  });

  test("a campaign counts its contacts by what they did", async () => {
    const campaign = rows(
      await member()
        .from("crm_campaigns")
        .insert({ workspace_id: w(), name: "Spring", campaign_type: "email" })
        .select("id")
        .single(),
    );
    const contact = rows(
      await member().from("crm_contacts").insert({ workspace_id: w(), first_name: "Cam" }).select("id").single(),
    );
    const reached = { workspace_id: w(), campaign_id: campaign.id, contact_id: contact.id, status: "opened" };
    rows(await member().from("crm_campaign_contacts").insert(reached).select("id"));
    const counted = await member()
      .from("crm_campaign_contacts")
      .select("*", { count: "exact", head: true })
      .eq("campaign_id", campaign.id)
      .eq("status", "opened");
    expect(counted.count).toBe(1);
  });

  test("deals are filtered, moved on the board and totalled", async () => {
    const deal = {
      workspace_id: w(),
      name: "Tower",
      estimated_value: 5000,
      stage_key: "proposal",
      client_name: "Acme Steel",
    };
    const { id } = rows(await member().from("pipeline_projects").insert(deal).select("id").single());
    const found = member().from("pipeline_projects").select("id").eq("workspace_id", w()).in("stage_key", ["proposal"]);
    expect(rows(await found.gte("probability", 50).lte("estimated_value", 9000).ilike("client_name", "acme%"))).toEqual(
      [{ id }],
    );
    rows(await member().rpc("move_deal_stage", { deal_id: id, stage: "Closed Won", board_position: 1.5 }));
    const board = await member()
      .from("pipeline_projects")
      .select("name, stage_key")
      .eq("workspace_id", w())
      .order("stage_key")
      .order("board_position");
    expect(rows(board).at(-1)).toEqual({ name: "Tower", stage_key: "won" });
    const won = await member()
      .from("pipeline_summary")
      .select("opportunities, value")
      .eq("workspace_id", w())
      .eq("stage_key", "won")
      .single();
    expect([Number(rows(won).opportunities), Number(rows(won).value)]).toEqual([1, 5000]);
    const monthStart = `${new Date().toISOString().slice(0, 8)}01`;
    const closed = await member()
      .from("crm_deals")
      .select("*", { count: "exact", head: true })
      .eq("workspace_id", w())
      .gte("actual_close_date", monthStart);
    expect(closed.count).toBe(1);
  });

  test("opportunities are created, renamed and deleted softly under their own names", async () => {
    const made = await member()
      .from("crm_opportunities")
      .insert({ workspace_id: w(), name: "Opp", value: 10, stage: "prospecting" })
      .select("id, stage")
      .single();
    expect(rows(made).stage).toBe("prospect");
    const id = rows(made).id ?? "";
    expect(
      rows(await member().from("crm_opportunities").update({ name: "Opp 2" }).eq("id", id).select("name")),
    ).toEqual([{ name: "Opp 2" }]);
    rows(await member().from("crm_opportunities").delete().eq("id", id).select("id"));
    expect(rows(await member().from("crm_opportunities").select("id").eq("id", id))).toEqual([]);
    expect(rows(await member().from("crm_deals").select("id").eq("id", id).not("deleted_at", "is", null))).toEqual([
      { id },
    ]);
  });

  test("a viewer reads all of it and changes nothing", async () => {
    const viewer = world.people.viewer as unknown as SupabaseClient;
    expect(rows(await viewer.from("crm_companies").select("id").eq("id", acme))).toHaveLength(1);
    expect(rows(await viewer.from("crm_companies").update({ name: "Mine" }).eq("id", acme).select("id"))).toEqual([]);
    expect((await viewer.from("crm_companies").insert({ workspace_id: w(), name: "X" })).error?.code).toBe("42501");
  });
});
