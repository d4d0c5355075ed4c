import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, editMock, newWorld, openSql, sync, type World } from "../support/world.ts";

describe("a field mapping with a transform", () => {
  const sql = openSql();
  let world: World;
  let configId: string;
  const made: Record<string, string> = {};

  beforeAll(async () => {
    world = await newWorld();
    const people = { Ada: "Analyst", Bob: "BOOM", Cleo: "Chief" };
    for (const [name, Title] of Object.entries(people)) {
      const fields = { LastName: name, FirstName: "Transform", Title, Email: `${name}@transform.example` };
      made[name] = await editMock("salesforce", { action: "create", type: "Contact", fields });
    }
    configId = await connect(world, "salesforce");
    const { error } = await world.people.admin
      .from("crm_field_mappings")
      .update({
        sync_direction: "pull",
        transform_function:
          "value === 'BOOM' ? value.nothing.more : value && (value + ' ' + record.LastName).toUpperCase()",
      })
      .match({ config_id: configId, entity_type: "contacts", app_field: "title" });
    expect(error).toBeNull();
  });
  afterAll(async () => {
    for (const id of Object.values(made)) await editMock("salesforce", { action: "delete", type: "Contact", id });
    await sql.end();
  });

  const titles = async () => {
    const { data } = await world.people.viewer
      .from("crm_contacts")
      .select("last_name, title")
      .eq("workspace_id", world.workspaceId)
      .in("last_name", Object.keys(made))
      .order("last_name");
    return data;
  };

  test("is evaluated in the function: one record fails with a sentence, the others arrive transformed", async () => {
    const operation = await sync(world, configId);
    expect(operation.status).toBe("partial");
    expect(await titles()).toEqual([
      { last_name: "Ada", title: "ANALYST ADA" },
      { last_name: "Cleo", title: "CHIEF CLEO" },
    ]);
    const { data: errors } = await world.people.viewer
      .from("crm_sync_errors")
      .select("crm_record_id, code, field, message, status")
      .eq("config_id", configId);
    expect(errors).toEqual([
      {
        crm_record_id: made.Bob,
        code: "transform_failed",
        field: "Title",
        message: expect.stringMatching(
          /^Title could not be transformed: .*'more' of undefined\. Correct the transform/,
        ),
        status: "open",
      },
    ]);
  });

  test("that is mended lets the record in, and what it made is never written back", async () => {
    await world.people.admin
      .from("crm_field_mappings")
      .update({ transform_function: "value && value.toLowerCase()" })
      .match({ config_id: configId, entity_type: "contacts", app_field: "title" });
    await editMock("salesforce", { action: "edit", type: "Contact", id: made.Bob ?? "", fields: { Title: "BOOM!" } });
    await sync(world, configId);
    expect(await titles()).toContainEqual({ last_name: "Bob", title: "boom!" });
    const [link] = await sql<{ waiting: number }[]>`
      select count(*)::int as waiting from private.crm_outbox where config_id = ${configId} and not dead`;
    expect(link?.waiting).toBe(0);
  });

  test("that never ends fails its records and not the run, and the function goes on serving", async () => {
    await world.people.admin
      .from("crm_field_mappings")
      .update({ transform_function: "(() => { for (;;); })()" })
      .match({ config_id: configId, entity_type: "contacts", app_field: "title" });
    await editMock("salesforce", { action: "edit", type: "Contact", id: made.Ada ?? "", fields: { Title: "Agent" } });
    const operation = await sync(world, configId);
    expect(operation.status).toBe("partial");
    const { data: errors } = await world.people.viewer
      .from("crm_sync_errors")
      .select("message")
      .match({ config_id: configId, crm_record_id: made.Ada, code: "transform_failed" });
    expect(errors?.[0]?.message).toContain("too much work");
  });
});
