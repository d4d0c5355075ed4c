import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, editMock, newWorld, openSql, sync, type World } from "../support/world.ts";

describe("CRM rows that cannot be taken as they are", () => {
  const sql = openSql();
  let world: World;
  let configId: string;
  const made: string[] = [];

  beforeAll(async () => {
    world = await newWorld();
    const create = async (fields: Record<string, unknown>) => {
      const id = await editMock("salesforce", { action: "create", type: "Contact", fields: { LastName: "Later" } });
      await editMock("salesforce", { action: "dirty", type: "Contact", id, fields });
      made.push(id);
    };
    await create({ FirstName: "Nora", LastName: "N".repeat(300), Email: "nora.long@bad-rows.example" });
    await create({ FirstName: null, LastName: null, Email: null, Phone: "+1 202 555 0143" });
    await create({ FirstName: "Gus", LastName: "Good", Email: "gus.good@bad-rows.example" });
    configId = await connect(world, "salesforce");
  });
  afterAll(async () => {
    for (const id of made) await editMock("salesforce", { action: "delete", type: "Contact", id });
    await sql.end();
  });

  test("each becomes an error with one clear sentence; everything else is synced and the run is only partly successful", async () => {
    const operation = await sync(world, configId);
    expect(operation.status).toBe("partial");
    const { data: errors } = await world.people.viewer
      .from("crm_sync_errors")
      .select("crm_record_id, kind, code, message, field, status")
      .eq("config_id", configId);
    expect(errors?.map(({ crm_record_id }) => crm_record_id).sort()).toEqual([made[0], made[1]].sort());
    const long = errors?.find(({ crm_record_id }) => crm_record_id === made[0]);
    expect(long).toMatchObject({ kind: "rejected", field: "LastName", status: "open" });
    expect(long?.message).toMatch(/300.*100|100.*300/);
    const { data: good } = await world.people.viewer
      .from("crm_contacts")
      .select("last_name")
      .eq("workspace_id", world.workspaceId)
      .eq("email", "gus.good@bad-rows.example");
    expect(good).toEqual([{ last_name: "Good" }]);
  });

  test("a row that was mended in the CRM closes its error", async () => {
    await editMock("salesforce", { action: "edit", type: "Contact", id: made[0] ?? "", fields: { LastName: "Short" } });
    await sync(world, configId);
    const { data } = await world.people.viewer
      .from("crm_sync_errors")
      .select("status")
      .eq("config_id", configId)
      .eq("crm_record_id", made[0] ?? "");
    expect(data?.map(({ status }) => status)).toEqual(["resolved"]);
  });
});
