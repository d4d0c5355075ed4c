import { randomUUID } from "node:crypto";
import type { Json } from "@pipeline-crm/shared-types";
import { beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../../scripts/lib/people.ts";
import { codeOf, got } from "../support/answers.ts";
import { newWorld, type World } from "../support/world.ts";

describe("scenarios through supabase-js", () => {
  let world: World;
  let strangers: World;
  let bridge: string;
  let roof: string;
  const w = () => world.workspaceId;
  const member = () => world.people.member;
  const admin = () => world.people.admin;
  const deal = async (project: Json, to = world): Promise<string> =>
    got(await to.people.member.rpc("create_pipeline_project", { workspace_id: to.workspaceId, project })).id;
  const begin = (
    name: string,
    more: { pipeline_project_ids?: string[]; conversion_rates?: Json } = {},
    who = member(),
  ) => who.rpc("create_scenario_from_pipeline", { workspace_id: w(), name, ...more });
  const edit = (scenario: string, kind: string, on: string | null, payload: Json = {}, who: Client = member()) =>
    who.rpc("add_scenario_edit", {
      scenario_id: scenario,
      kind,
      payload,
      ...(on === null ? {} : { pipeline_project_id: on }),
    });
  const plan = async (scenario: string) =>
    got(await member().rpc("scenario_plan", { scenario_id: scenario })).map(
      ({ kind, skipped }) => kind + (skipped ? `:${skipped}` : ""),
    );
  const look = async (id: string) =>
    got(
      await member()
        .from("pipeline_projects")
        .select("stage_key, probability, expected_close_date, estimated_start_date")
        .eq("id", id)
        .single(),
    );

  beforeAll(async () => {
    [world, strangers] = await Promise.all([newWorld(), newWorld()]);
    bridge = await deal({ name: "Bridge", stage: "proposal", expected_close_date: "2027-01-31" });
    roof = await deal({ name: "Roof", stage: "negotiation", estimated_start_date: "2027-03-01" });
  });

  test("createScenarioFromPipeline takes the parameters of the document, and leaves the deals alone", async () => {
    const before = await look(bridge);
    const scenario = got(
      await begin("Q3 Pipeline Forecast", {
        pipeline_project_ids: [bridge, roof],
        conversion_rates: { lead: 0.2, prospect: 0.3, opportunity: 0.6, proposal: 0.8, negotiation: 0.9 },
      }),
    );
    expect(scenario).toMatchObject({ status: "draft", forecast_months: 12, conversion_rates: { proposal: 0.8 } });
    expect(got(await edit(scenario.id, "set_probability", bridge, { probability: 95 })).position).toBe(1);
    expect(got(await edit(scenario.id, "shift_start", roof, { days: 14 })).position).toBe(2);
    expect(got(await edit(scenario.id, "drop_deal", roof)).position).toBe(3);
    expect(await plan(scenario.id)).toEqual(["set_probability", "shift_start", "drop_deal"]);
    expect(await look(bridge)).toEqual(before);
    const active = got(await member().rpc("activate_scenario", { scenario_id: scenario.id }));
    expect(active.status).toBe("active");
  });

  test("foreign, deleted and made-up ids are refused, and leave no scenario behind", async () => {
    const theirs = await deal({ name: "Theirs" }, strangers);
    const gone = await deal({ name: "Gone" });
    got(
      await member().from("pipeline_projects").update({ deleted_at: new Date().toISOString() }).eq("id", gone).select(),
    );
    for (const id of [theirs, gone, randomUUID()]) {
      const answer = await begin("Nothing", { pipeline_project_ids: [bridge, id] });
      expect([answer.error?.code, answer.error?.message]).toEqual([
        "PC001",
        `There is no deal ${id} in this workspace.`,
      ]);
    }
    expect(codeOf(await begin("Nothing", { conversion_rates: { nonsense: 0.5 } }))).toBe("PC004");
    expect(codeOf(await begin("Nothing", { conversion_rates: { lead: 1.01 } }))).toBe("PC004");
    expect(codeOf(await begin("Nothing", { conversion_rates: { lead: "NaN" } }))).toBe("PC004");
    const left = await member().from("pipeline_scenarios").select("id").eq("workspace_id", w()).eq("name", "Nothing");
    expect(got(left)).toEqual([]);

    const { id } = got(await begin("Ours"));
    const { member: stranger } = strangers.people;
    expect(codeOf(await edit(id, "drop_deal", theirs))).toBe("PC001");
    expect(codeOf(await edit(id, "drop_deal", bridge, {}, stranger))).toBe("PC001");
    expect(codeOf(await stranger.rpc("copy_scenario", { scenario_id: id, name: "Mine" }))).toBe("PC001");
    expect(codeOf(await stranger.rpc("promote_scenario", { scenario_id: id }))).toBe("PC001");
    expect(got(await stranger.rpc("scenario_plan", { scenario_id: id }))).toEqual([]);
    expect(codeOf(await edit(id, "drop_deal", bridge, {}, world.people.viewer))).toBe("PC002");
  });

  test("a copy stands alone, a variant follows its base", async () => {
    const base = got(await begin("Base"));
    got(await edit(base.id, "shift_close", bridge, { days: 30 }));
    const copy = got(await member().rpc("copy_scenario", { scenario_id: base.id, name: "Copy" }));
    const variant = got(await member().rpc("copy_scenario", { scenario_id: base.id, name: "Variant", follow: true }));
    got(await edit(variant.id, "set_rates", null, { rates: { Proposal: 0.4 } }));
    const last = got(await edit(base.id, "drop_deal", bridge));
    expect(await plan(copy.id)).toEqual(["shift_close"]);
    expect(await plan(variant.id)).toEqual(["shift_close", "drop_deal", "set_rates"]);
    expect(codeOf(await edit(variant.id, "shift_close", bridge, { days: 1 }))).toBe("PC004");
    got(await member().rpc("remove_scenario_edit", { edit_id: last.id }));
    expect(await plan(variant.id)).toEqual(["shift_close", "set_rates"]);
  });

  test("bases make no circle, and five in a row are the most", async () => {
    const ids: string[] = [];
    for (const level of [1, 2, 3, 4, 5, 6]) ids.push(got(await begin(`Level ${level}`)).id);
    const [first, , , , fifth, sixth] = ids;
    const build = (on: number) =>
      member()
        .from("pipeline_scenarios")
        .update({ base_scenario_id: ids[on - 1] ?? null })
        .eq("id", ids[on] ?? "")
        .select("id");
    for (const level of [1, 2, 3, 4]) got(await build(level));
    const point = (id = "", base = "") =>
      member().from("pipeline_scenarios").update({ base_scenario_id: base }).eq("id", id).select("id");
    const circle = await point(first, fifth);
    expect([circle.error?.code, circle.error?.message]).toEqual([
      "PC004",
      "A scenario cannot build on itself, directly or through others.",
    ]);
    const deep = await point(sixth, fifth);
    expect([deep.error?.code, deep.error?.message]).toEqual([
      "PC004",
      "Scenarios build on each other at most five in a row; these would be 6.",
    ]);
  });

  test("an admin promotes a scenario once, as it was seen; an archived one never", async () => {
    const { id } = got(await begin("To promote", { pipeline_project_ids: [bridge, roof] }));
    got(await edit(id, "shift_close", bridge, { days: 29 }));
    got(await edit(id, "set_probability", bridge, { probability: 65 }));
    got(await edit(id, "drop_deal", roof));
    got(await edit(id, "add_deal", null, { name: "Tunnel", stage: "lead", estimated_value: 5000 }));
    got(await edit(id, "set_rates", null, { rates: { lead: 0.1 } }));
    expect(codeOf(await member().rpc("promote_scenario", { scenario_id: id }))).toBe("PC002");
    const old = "2020-01-01T00:00:00Z";
    expect(codeOf(await admin().rpc("promote_scenario", { scenario_id: id, expected_updated_at: old }))).toBe("PC008");

    got(await member().rpc("archive_scenario", { scenario_id: id }));
    expect(codeOf(await admin().rpc("promote_scenario", { scenario_id: id }))).toBe("PC008");
    expect(codeOf(await edit(id, "drop_deal", bridge))).toBe("PC008");
    const { updated_at } = got(await member().rpc("activate_scenario", { scenario_id: id }));

    const answer = got(await admin().rpc("promote_scenario", { scenario_id: id, expected_updated_at: updated_at })) as {
      applied: { kind: string }[];
      skipped: { kind: string; reason: string }[];
    };
    expect(answer.applied.map(({ kind }) => kind)).toEqual(["shift_close", "set_probability", "drop_deal", "add_deal"]);
    expect(answer.skipped.map(({ kind, reason }) => [kind, reason])).toEqual([["set_rates", "not_about_a_deal"]]);
    // 31 January 2027 and 29 days more.
    expect(await look(bridge)).toMatchObject({
      expected_close_date: "2027-03-01",
      probability: 65,
      stage_key: "proposal",
    });
    expect((await look(roof)).stage_key).toBe("on_hold");
    const tunnel = await member()
      .from("pipeline_projects")
      .select("stage_key")
      .eq("workspace_id", w())
      .eq("name", "Tunnel");
    expect(got(tunnel)).toEqual([{ stage_key: "lead" }]);

    expect(codeOf(await admin().rpc("promote_scenario", { scenario_id: id }))).toBe("PC008");
    expect((await look(bridge)).expected_close_date).toBe("2027-03-01");
    expect(codeOf(await admin().from("pipeline_scenarios").update({ conversion_rates: {} }).eq("id", id))).toBe(
      "allowed",
    );
    expect(
      codeOf(
        await admin()
          .from("pipeline_scenarios")
          .update({ conversion_rates: { lead: 1 } })
          .eq("id", id),
      ),
    ).toBe("PC008");
  });

  test("templates come with the product, and an admin writes the workspace's own", async () => {
    const keys = got(await world.people.viewer.from("conversion_templates").select("key").order("key"));
    expect(keys.map(({ key }) => key)).toEqual([
      "construction",
      "manufacturing",
      "professional_services",
      "software",
      "spec_000",
    ]);
    const own = {
      workspace_id: w(),
      key: "ours",
      label: "Ours",
      source: "Deals of 2026",
      rates: { Prospecting: 0.15 },
    };
    expect(codeOf(await member().from("conversion_templates").insert(own))).toBe("42501");
    expect(got(await admin().from("conversion_templates").insert(own).select("rates").single()).rates).toEqual({
      prospect: 0.15,
    });
    const scenario = await member().rpc("create_scenario_from_pipeline", {
      workspace_id: w(),
      name: "By our own rates",
      template_key: "ours",
    });
    expect(got(scenario).template_key).toBe("ours");
    const builtIn = await admin()
      .from("conversion_templates")
      .update({ label: "X" })
      .eq("key", "software")
      .select("id");
    expect(got(builtIn)).toEqual([]);
  });
});
