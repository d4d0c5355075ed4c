import { FunctionsHttpError } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../../scripts/lib/people.ts";
import { CRM_NAMES } from "../support/crm-names.ts";
import { connect, control, editMock, newWorld, openSql, type Provider, sync, type World } from "../support/world.ts";

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/** As an app calls it; a refusal has to be a problem. */
async function ask(client: Client, route: string, body: object): Promise<Answer> {
  const { data, error } = await client.functions.invoke(`crm-mapping/${route}`, {
    body: body as Record<string, unknown>,
  });
  if (error === null) return { status: 200, body: data };
  if (!(error instanceof FunctionsHttpError)) throw error;
  const response = error.context as Response;
  expect(response.headers.get("content-type")).toContain("application/problem+json");
  return { status: response.status, body: await response.json() };
}

interface Field {
  crm_field: string;
  app_field: string;
  raw?: unknown;
  before: unknown;
  after: unknown;
  error: { code: string; message: string } | null;
}
interface Shown {
  crm_id: string | null;
  record_id: string | null;
  pull: { action: string; problem: { message: string } | null; fields: Field[] } | null;
  push: { action: string; problem: { message: string } | null; fields: Field[] } | null;
}
const recordsOf = (answer: Answer) => answer.body.records as Shown[];
const fieldOf = (side: Shown["pull"] | undefined, name: string) => side?.fields.find((one) => one.app_field === name);

const sql = openSql();
afterAll(() => sql.end());

/** Every row of ours, by table, but for what the jobs of planning write each minute; xmin tells of a row that was written again as it was. */
async function fingerprint(): Promise<Record<string, string>> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'private')
      and tablename !~ '^(analytics|availability|forecast|pipeline_(availability|forecast|snapshots))' order by 1`;
  const prints: Record<string, string> = {};
  for (const { name } of tables) {
    const [row] = await sql.unsafe(
      `select count(*) || ' ' || coalesce(md5(string_agg(t.xmin::text || t::text, ',' order by t::text)), '') as print from ${name} t`,
    );
    prints[name] = String(row?.print);
  }
  return prints;
}

describe.each<Provider>(["salesforce", "hubspot"])("mapping fields of %s", (provider) => {
  const { account } = CRM_NAMES[provider];
  let world: World;
  let stranger: World;
  let config_id: string;

  beforeAll(async () => {
    world = await newWorld();
    stranger = await newWorld();
    config_id = await connect(world, provider);
  });

  const about = (more: object = {}) => ({ config_id, entity_type: "accounts", ...more });
  const preview = (more: object = {}) => ask(world.people.member, "preview", about(more));
  const mapped = async () =>
    (
      await sql`select app_field from public.crm_field_mappings where config_id = ${config_id} and entity_type = 'accounts'`
    ).map((row) => row.app_field as string);

  test("the fields are there from the connect on, without another call to the CRM", async () => {
    const before = await control<{ requests: unknown }>(provider, "counters");
    const { status, body } = await ask(world.people.member, "available-fields", about());
    expect(status).toBe(200);
    expect(await control(provider, "counters")).toEqual(before);
    const fields = body.fields as { name: string; required: boolean }[];
    expect(fields.find(({ name }) => name === account.name)).toMatchObject({ required: true, read_only: false });
    const { data } = await world.people.viewer
      .from("crm_available_fields")
      .select("name")
      .eq("config_id", config_id)
      .eq("entity_type", "accounts")
      .order("position");
    expect(data?.map(({ name }) => name)).toEqual(fields.map(({ name }) => name));
  });

  test("an admin asks the CRM again", async () => {
    const first = await ask(world.people.member, "available-fields", about());
    await sql`delete from public.crm_available_fields where config_id = ${config_id} and name = ${account.website}`;
    const again = await ask(world.people.admin, "available-fields", about({ refresh: true }));
    expect(again.body.fields).toEqual(first.body.fields);
    expect(String(again.body.refreshed_at) > String(first.body.refreshed_at)).toBe(true);
  });

  test("who may ask: members; admins for what changes something; strangers find nothing", async () => {
    const { admin, member, viewer } = world.people;
    const tries: [Client, string, object, number, string][] = [
      [viewer, "available-fields", about(), 403, "role_too_low"],
      [viewer, "preview", about(), 403, "role_too_low"],
      [viewer, "auto-map", about(), 403, "role_too_low"],
      [member, "available-fields", about({ refresh: true }), 403, "role_too_low"],
      [member, "auto-map", about({ apply: true }), 403, "role_too_low"],
      [stranger.people.owner, "available-fields", about(), 404, "not_found"],
      [stranger.people.owner, "auto-map", about({ apply: true }), 404, "not_found"],
      [stranger.people.owner, "preview", about(), 404, "not_found"],
      [admin, "preview", about({ limit: 21 }), 422, "invalid_input"],
      [admin, "preview", about({ limit: 0 }), 422, "invalid_input"],
      [admin, "preview", about({ entity_type: "leads" }), 422, "invalid_input"],
      [admin, "preview", about({ config_id: "x" }), 422, "invalid_input"],
      [admin, "preview", about({ mappings: [{ crm_field: "X", app_field: "no_such" }] }), 422, "invalid_input"],
      [admin, "auto-map", about({ min_confidence: 2 }), 422, "invalid_input"],
      [admin, "check-transform", { expression: "" }, 422, "invalid_input"],
    ];
    for (const [client, route, body, status, code] of tries) {
      const answer = await ask(client, route, body);
      expect([route, body, answer.status, answer.body.code]).toEqual([route, body, status, code]);
    }
  });

  test("auto-map proposes what is free, and inserts it where an admin says so", async () => {
    const admin = world.people.admin;
    await admin.from("crm_field_mappings").delete().eq("config_id", config_id).in("app_field", ["website", "phone"]);
    const own = { config_id, entity_type: "accounts", crm_field: account.phone, app_field: "custom_fields.tel" };
    expect((await admin.from("crm_field_mappings").insert(own)).error).toBeNull();
    const { body } = await ask(world.people.member, "auto-map", about());
    const proposals = body.proposals as { crm_field: string; app_field: string; confidence: number; reason: string }[];
    expect(proposals.find(({ app_field }) => app_field === "website")).toMatchObject({
      crm_field: account.website,
      confidence: 1,
      applied: false,
    });
    expect(proposals.every(({ reason }) => reason !== "")).toBe(true);
    expect(proposals.map(({ crm_field }) => crm_field)).not.toContain(account.phone);
    expect(await mapped()).not.toContain("website");

    const applied = await ask(admin, "auto-map", about({ apply: true, min_confidence: 0.9 }));
    expect(applied.body.applied).toBeGreaterThan(0);
    expect(await mapped()).toEqual(expect.arrayContaining(["website", "custom_fields.tel"]));
    const again = await ask(admin, "auto-map", about({ apply: true, min_confidence: 0.9 }));
    expect(again.body.applied).toBe(0);
    const { data: audit } = await admin
      .from("crm_audit_log")
      .select("action, detail, user_agent")
      .eq("config_id", config_id)
      .eq("action", "field_mappings_changed");
    expect(audit).toHaveLength(3);
    expect(JSON.stringify(audit?.at(-1)?.detail)).toContain(account.website);
    await admin.from("crm_field_mappings").delete().eq("config_id", config_id).eq("app_field", "custom_fields.tel");
  });

  test("a preview shows live records in both directions, and writes nothing on either side", async () => {
    await sync(world, config_id);
    const { data: company } = await world.people.viewer
      .from("crm_companies")
      .select("id, name, website")
      .eq("workspace_id", world.workspaceId)
      .not("website", "is", null)
      .order("name")
      .limit(1)
      .single();
    const ours = { website: "https://changed-here.example" };
    await world.people.admin
      .from("crm_companies")
      .update(ours)
      .eq("id", company?.id ?? "");
    const before = await fingerprint();
    const { rows_written: written } = await control<{ rows_written: number }>(provider, "counters");

    const some = await preview({ limit: 3 });
    expect(recordsOf(some)).toHaveLength(3);
    const one = await preview({
      record_ids: [company?.id],
      mappings: [
        { crm_field: account.website, app_field: "founded_year", data_type: "number" },
        {
          crm_field: account.website,
          app_field: "custom_fields.site",
          transform_function: "value.length",
          data_type: "number",
        },
        { crm_field: account.website, app_field: "custom_fields.bad", transform_function: "value.nothing.there" },
      ],
    });
    expect(one.status, JSON.stringify(one.body)).toBe(200);
    const [shown] = recordsOf(one);
    expect(shown).toMatchObject({ record_id: company?.id, name: company?.name });
    expect(fieldOf(shown?.pull, "website")).toMatchObject({
      raw: company?.website,
      before: ours.website,
      after: company?.website,
      error: null,
    });
    expect(fieldOf(shown?.push, "website")).toMatchObject({
      before: company?.website,
      after: ours.website,
      error: null,
    });
    expect(fieldOf(shown?.pull, "founded_year")?.error?.code).toBe("not_a_number");
    expect(fieldOf(shown?.pull, "custom_fields.site")?.after).toBe(company?.website?.length);
    expect(fieldOf(shown?.pull, "custom_fields.bad")?.error?.code).toBe("transform_failed");
    // A mapping with a transform is read only, so nothing of it would be sent.
    expect(fieldOf(shown?.push, "custom_fields.site")).toBeUndefined();
    const both = { crm_field: account.website, app_field: "custom_fields.site", sync_direction: "bidirectional" };
    const refused = await preview({ mappings: [{ ...both, transform_function: "value.length" }] });
    expect([refused.status, JSON.stringify(refused.body)]).toEqual([
      422,
      expect.stringContaining("A mapping with a transform can only be read from the CRM"),
    ]);
    expect(shown?.pull).toMatchObject({
      action: "refused",
      problem: { message: expect.stringContaining("not a number") },
    });

    expect(await fingerprint()).toEqual(before);
    expect((await control<{ rows_written: number }>(provider, "counters")).rows_written).toBe(written);
  });

  test("the fingerprint of that would tell", async () => {
    const before = await fingerprint();
    await sql`update public.crm_sync_configs set name = name where id = ${config_id}`;
    expect(await fingerprint()).not.toEqual(before);
  });

  test("records are found by either id: new in the CRM, new here, deleted, unknown", async () => {
    const crmId = await editMock(provider, {
      action: "create",
      type: account.type,
      fields: { [account.name]: "preview-there", [account.website]: "https://preview-there.example" },
    });
    const { data: alone } = await world.people.member
      .from("crm_companies")
      .insert({ workspace_id: world.workspaceId, name: "Preview Here" })
      .select("id")
      .single();
    const strange = "' OR Name != '";
    const answer = await preview({ record_ids: [crmId, alone?.id, strange] });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.not_found).toEqual([strange]);
    const [there, here] = recordsOf(answer);
    expect(there).toMatchObject({ crm_id: crmId, record_id: null, pull: { action: "create" }, push: null });
    expect(fieldOf(there?.pull, "name")).toMatchObject({ before: null, after: "preview-there" });
    expect(here).toMatchObject({ crm_id: null, record_id: alone?.id, pull: null, push: { action: "create" } });
    expect(fieldOf(here?.push, "name")).toMatchObject({ before: null, after: "Preview Here" });
    await editMock(provider, { action: "delete", type: account.type, id: crmId });
    expect(recordsOf(await preview({ record_ids: [crmId] }))).toMatchObject([{ pull: { action: "delete" } }]);
  });

  test("what a new record needs and no mapping fills is told, for saved rows by a view, for rows to try by the preview", async () => {
    const view = async () => {
      const { data } = await world.people.viewer
        .from("crm_unmapped_required_fields")
        .select("side, field")
        .eq("config_id", config_id)
        .eq("entity_type", "accounts")
        .order("side", { ascending: false });
      return data;
    };
    expect(await view()).toEqual([]);
    expect((await preview({ limit: 1 })).body.unmapped_required).toEqual([]);
    const off = { crm_field: account.name, app_field: "name", sync_direction: "none" };
    const missing = [
      { side: "crm", field: account.name },
      { side: "app", field: "name" },
    ];
    expect((await preview({ limit: 1, mappings: [off] })).body.unmapped_required).toEqual(missing);
    expect(await view()).toEqual([]);
    await world.people.admin
      .from("crm_field_mappings")
      .update({ sync_direction: "none" })
      .eq("config_id", config_id)
      .eq("entity_type", "accounts")
      .eq("app_field", "name");
    expect(await view()).toEqual(missing);
  });
});

test("a transform is checked before it is saved", async () => {
  const { people } = await newWorld();
  const check = async (expression: string, sample?: object) =>
    (await ask(people.viewer, "check-transform", { expression, sample })).body;
  expect(await check("value.trim()")).toEqual({ ok: true });
  expect(await check("value + record.Name", { value: "a", record: { Name: "b" } })).toEqual({ ok: true, result: "ab" });
  expect(await check("value +")).toMatchObject({
    ok: false,
    message: expect.stringContaining("not a JavaScript expression"),
  });
  expect(await check("fetch('https://x.example')", { value: 1 })).toMatchObject({ ok: false });
  expect(await check("(() => { for (;;); })()", { value: 1 })).toMatchObject({
    ok: false,
    message: expect.stringContaining("too much work"),
  });
});
