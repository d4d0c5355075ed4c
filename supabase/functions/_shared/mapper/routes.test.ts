import { describe, expect, it } from "vitest";
import { ADMIN, CONFIG, STRANGER } from "../connect/testing.ts";
import { failure } from "../crm/errors.ts";
import { fieldOf } from "../sync/testing.crm.ts";
import { account, mapping, NO_CONFIG, setUp, VIEWER } from "./testing.ts";

const OURS = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";
const ALONE = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";

type Setup = ReturnType<typeof setUp>;
type Answer = Awaited<ReturnType<Setup["ask"]>>;

interface Proposal {
  crm_field: string;
  app_field: string;
  confidence: number;
  applied: boolean;
}
const proposals = ({ body }: Answer) => body.proposals as Proposal[];

interface Side {
  action: string;
  fields: { app_field: string; before: unknown; after: unknown; error: { code: string } | null }[];
}
interface Shown {
  crm_id: string | null;
  record_id: string | null;
  pull: Side | null;
  push: Side | null;
}
const shown = ({ body }: Answer) => body.records as Shown[];

describe("the fields of the CRM", () => {
  it("are those that it described last, and it is not asked", async () => {
    const { ask, world } = setUp();
    const { status, body } = await ask("available-fields");
    expect([status, body.entity_type, body.refreshed_at]).toEqual([200, "accounts", "2026-11-21T12:00:00.000Z"]);
    expect((body.fields as { name: string }[]).map(({ name }) => name)).toEqual([
      "Name",
      "Website",
      "NumberOfEmployees",
    ]);
    expect([world.calls, world.writes]).toEqual([[], []]);
  });

  it("are asked for once where it never described them, and kept", async () => {
    const { ask, world } = setUp();
    world.kept = null;
    expect((await ask("available-fields")).body.fields).toHaveLength(3);
    await ask("available-fields");
    expect([world.calls, world.writes]).toEqual([["describe"], ["fields"]]);
  });

  it("are asked for again by an admin", async () => {
    const { ask, as, world } = setUp();
    world.crm.fields.push(fieldOf("Tier__c", { custom: true }));
    expect((await ask("available-fields")).body.fields).toHaveLength(3);
    as(ADMIN);
    expect((await ask("available-fields", { refresh: true })).body.fields).toHaveLength(4);
  });

  it("stay as they were when the CRM is down", async () => {
    const { ask, as, world } = setUp();
    as(ADMIN);
    world.trouble = failure("transient", "network_error", "Salesforce cannot be reached.");
    const { status, body } = await ask("available-fields", { refresh: true });
    expect([status, body.code, body.detail]).toEqual([503, "crm_network_error", "Salesforce cannot be reached."]);
    expect([world.writes, world.kept?.length]).toEqual([[], 3]);
  });
});

describe("proposals", () => {
  it("say what could be mapped beside what is, how surely and why; nothing is inserted", async () => {
    const { ask, world } = setUp();
    const { status, body } = await ask("auto-map");
    const found = body.proposals as (Proposal & { reason: string })[];
    expect([status, body.applied]).toEqual([200, 0]);
    expect(found.map(({ crm_field, app_field }) => [crm_field, app_field])).toEqual(
      expect.arrayContaining([
        ["Website", "website"],
        ["NumberOfEmployees", "employee_count"],
      ]),
    );
    expect(found.some(({ app_field }) => app_field === "name")).toBe(false);
    expect(found.every(({ applied, confidence, reason }) => !applied && confidence > 0 && reason !== "")).toBe(true);
    expect([world.writes, world.calls]).toEqual([[], []]);
  });

  it("are inserted for an admin as far as they are sure enough, and put down to the caller", async () => {
    const { ask, as, world } = setUp();
    world.crm.fields = world.kept = [...world.crm.fields, fieldOf("Industy__c", { custom: true })];
    const sure = proposals(await ask("auto-map")).filter(({ confidence }) => confidence >= 0.99);
    const unsure = proposals(await ask("auto-map")).filter(({ confidence }) => confidence < 0.99);
    expect([sure.length > 0, unsure.length > 0]).toEqual([true, true]);
    as(ADMIN);
    const answer = await ask("auto-map", { apply: true, min_confidence: 0.99 });
    expect(answer.body.applied).toBe(sure.length);
    expect(world.mappings.map(({ app_field }) => app_field)).toEqual([
      "name",
      ...sure.map(({ app_field }) => app_field),
    ]);
    expect(world.headers).toHaveProperty("user-agent");
    expect(proposals(await ask("auto-map")).map(({ app_field }) => app_field)).toEqual(
      unsure.map(({ app_field }) => app_field),
    );
  });

  it("count as applied only where the field was still free", async () => {
    const { ask, as, world } = setUp();
    as(ADMIN);
    world.takenMeanwhile = ["website"];
    const answer = await ask("auto-map", { apply: true });
    const website = proposals(answer).find(({ app_field }) => app_field === "website");
    expect(website).toMatchObject({ applied: false });
    expect(answer.body.applied).toBe(proposals(answer).filter(({ applied }) => applied).length);
  });
});

describe("a preview", () => {
  it("shows the first records in both directions, and writes nothing", async () => {
    const { ask, world } = setUp();
    world.ours = [{ crm_id: "accounts-0", record_id: OURS, name: "Ours", fields: { name: "Ours" } }];
    const answer = await ask("preview", { limit: 2 });
    expect(answer.status).toBe(200);
    const [linked, fresh, ...more] = shown(answer);
    expect(more).toEqual([]);
    expect(linked).toMatchObject({ crm_id: "accounts-0", record_id: OURS });
    expect(linked?.pull).toMatchObject({ action: "update", fields: [{ before: "Ours", after: "accounts 0" }] });
    expect(linked?.push).toMatchObject({ action: "update", fields: [{ before: "accounts 0", after: "Ours" }] });
    expect(fresh).toMatchObject({ crm_id: "accounts-1", record_id: null, pull: { action: "create" }, push: null });
    expect(world.writes).toEqual([]);
  });

  it("tries rows that are not saved in the place of the saved ones", async () => {
    const { ask, world } = setUp();
    world.crm.records.accounts = [account("a", { Name: "Acme", Website: "acme.example" })];
    const draft = { crm_field: "Website", app_field: "name" };
    const [one] = shown(await ask("preview", { mappings: [draft] }));
    expect(one?.pull?.fields).toMatchObject([{ crm_field: "Website", app_field: "name", after: "acme.example" }]);
    expect(world.mappings).toEqual([mapping("Name", "name")]);
  });

  it("says what a new record would lack on either side", async () => {
    const { ask } = setUp();
    const none = { crm_field: "Name", app_field: "name", sync_direction: "none" };
    const { body } = await ask("preview", { mappings: [none] });
    expect(body.unmapped_required).toEqual(
      expect.arrayContaining([expect.objectContaining({ side: "crm", field: "Name" })]),
    );
    expect((await ask("preview")).body.unmapped_required).toEqual([]);
  });

  it("finds records by ids of ours and of the CRM, and says which are nowhere", async () => {
    const { ask, world } = setUp();
    world.ours = [
      { crm_id: "accounts-2", record_id: OURS, name: "Linked", fields: { name: "Linked" } },
      { crm_id: null, record_id: ALONE, name: "Alone", fields: { name: "Alone" } },
    ];
    const answer = await ask("preview", { record_ids: [OURS.toUpperCase(), ALONE, "accounts-1", "nobody"] });
    expect(shown(answer).map(({ crm_id, record_id }) => [crm_id, record_id])).toEqual([
      ["accounts-1", null],
      ["accounts-2", OURS],
      [null, ALONE],
    ]);
    expect(shown(answer)[2]).toMatchObject({ pull: null, push: { action: "create" } });
    expect(answer.body.not_found).toEqual(["nobody"]);
  });

  it("reads the records that the connection's filter lets through, five pages at the most", async () => {
    const { ask, world } = setUp();
    world.rules = { accounts: { filter: { field: "name", operator: "starts_with", value: "acc" } } };
    world.crm.records.accounts = Array.from({ length: 9 }, (_, index) =>
      account(`a${index}`, { Name: `acc ${index}` }),
    );
    expect(shown(await ask("preview", { limit: 9 }))).toHaveLength(5);
    expect(world.filters).toHaveLength(5);
    expect(world.filters[0]).toMatchObject({ field: "Name", operator: "starts_with", values: ["acc"] });
  });

  it("leaves excluded fields out, and says where one of them is required", async () => {
    const { ask, world } = setUp();
    world.mappings.push(mapping("Website", "website"));
    world.crm.records.accounts = [account("a", { Name: "Acme", Website: "acme.example" })];
    const fields = async () => shown(await ask("preview"))[0]?.pull?.fields.map(({ app_field }) => app_field);
    expect(await fields()).toEqual(["name", "website"]);
    world.rules = { accounts: { exclude_fields: ["website"] } };
    expect(await fields()).toEqual(["name"]);
    world.rules = { accounts: { exclude_fields: ["name"] } };
    expect((await ask("preview")).body.unmapped_required).toContainEqual(expect.objectContaining({ field: "Name" }));
  });

  it("shows what an expression makes of a value, and which record it fails for", async () => {
    const { ask, world } = setUp();
    const draft = {
      crm_field: "Name",
      app_field: "name",
      sync_direction: "pull",
      transform_function: "value.toUpperCase()",
    };
    world.crm.records.accounts = [account("a", { Name: "Acme" }), account("b", { Name: 7 })];
    const [fine, bad] = shown(await ask("preview", { mappings: [draft], limit: 2 }));
    expect(fine?.pull?.fields[0]).toMatchObject({ after: "ACME", error: null });
    expect(bad?.pull?.fields[0]?.error).toMatchObject({ code: "transform_failed" });
  });

  it("names a field of ours that does not exist, before the CRM is asked", async () => {
    const { ask, world } = setUp();
    const answer = await ask("preview", { mappings: [{ crm_field: "Name", app_field: "nmae" }] });
    expect([answer.status, answer.body.code]).toEqual([422, "invalid_input"]);
    expect(answer.body.detail).toContain('there is no field "nmae" on accounts');
    expect(world.calls).toEqual([]);
  });

  it.each([
    ["is down", failure("transient", "network_error", "No answer."), 503, "crm_network_error", null],
    ["asks for patience", failure("rate_limited", "limit", "Wait.", { retryAfterMs: 1500 }), 429, "crm_limit", "2"],
    ["withdrew the access", failure("revoked", "invalid_grant", "Connect again."), 409, "crm_invalid_grant", null],
    ["refuses the query", failure("rejected", "INVALID_FIELD", "No such field."), 422, "crm_invalid_field", null],
  ])("passes on that the CRM %s", async (_, trouble, status, code, retryAfter) => {
    const { ask, world } = setUp();
    world.trouble = trouble;
    const answer = await ask("preview");
    expect([answer.status, answer.body.code, answer.headers.get("retry-after")]).toEqual([status, code, retryAfter]);
    expect(answer.body.detail).toBe(trouble.detail.userMessage);
  });
});

describe("a check of an expression", () => {
  const check = async (expression: string, sample?: object) =>
    (await setUp().post("/check-transform", { expression, ...(sample ? { sample } : {}) })).body;

  it("says that it can be used, and what it makes of a sample", async () => {
    expect(await check("value * 1000")).toEqual({ ok: true });
    expect(await check("value * 1000", { value: 2 })).toEqual({ ok: true, result: 2000 });
    expect(await check("record.First + record.Last", { record: { First: "A", Last: "B" } })).toEqual({
      ok: true,
      result: "AB",
    });
  });

  it("says in a sentence why it cannot, or what becomes of the sample", async () => {
    expect(await check("value *")).toMatchObject({ ok: false, message: expect.stringContaining("JavaScript") });
    expect(await check("value.trim()", { value: 5 })).toMatchObject({
      ok: false,
      message: expect.stringMatching(/^The value .+\.$/),
    });
  });

  it("is for everybody who is signed in, and touches neither database nor CRM", async () => {
    const { post, as, world } = setUp();
    as(STRANGER);
    expect((await post("/check-transform", { expression: "value" })).body).toEqual({ ok: true });
    expect([world.calls, world.writes]).toEqual([[], []]);
  });
});

describe("who may ask", () => {
  it.each([
    ["available-fields", { refresh: true }],
    ["auto-map", { apply: true }],
  ])("%s changes something only for an admin", async (route, change) => {
    const { ask, as, world } = setUp();
    const refused = await ask(route, change);
    expect([refused.status, refused.body.code]).toEqual([403, "role_too_low"]);
    expect([world.calls, world.writes]).toEqual([[], []]);
    as(ADMIN);
    expect((await ask(route, change)).status).toBe(200);
    expect(world.writes).toHaveLength(1);
  });

  it.each(["available-fields", "auto-map", "preview"])("%s is not for viewers", async (route) => {
    const { ask, as, world } = setUp();
    as(VIEWER);
    expect((await ask(route)).body.code).toBe("role_too_low");
    expect(world.calls).toEqual([]);
  });

  it.each(["available-fields", "auto-map", "preview"])(
    "%s tells a stranger the same of this connection as of one that does not exist",
    async (route) => {
      const { ask, as, world } = setUp();
      as(STRANGER);
      const [theirs, nobodys] = [await ask(route), await ask(route, { config_id: NO_CONFIG })];
      expect([theirs.status, theirs.body.code]).toEqual([404, "not_found"]);
      expect(theirs.body).toEqual(nobodys.body);
      expect(world.calls).toEqual([]);
    },
  );
});

describe("what cannot be read", () => {
  const draft = (more: object) => ({ mappings: [{ crm_field: "Name", app_field: "name", ...more }] });

  it.each<[string, string, object, string]>([
    ["available-fields", "a connection that is no id", { config_id: "x" }, "config_id"],
    ["available-fields", "a kind that we do not sync", { entity_type: "leads" }, "entity_type"],
    ["available-fields", "a word for yes", { refresh: "yes" }, "refresh"],
    ["auto-map", "more than certain", { min_confidence: 1.1 }, "min_confidence"],
    ["preview", "more than 20 records", { limit: 21 }, "limit"],
    ["preview", "half a record", { limit: 1.5 }, "limit"],
    ["preview", "no record at all", { record_ids: [] }, "record_ids"],
    ["preview", "a type that is none", draft({ data_type: "money" }), "mappings.0.data_type"],
    ["preview", "a direction that is none", draft({ sync_direction: "both" }), "mappings.0.sync_direction"],
    ["preview", "too long an expression", draft({ transform_function: "1".repeat(4001) }), "transform_function"],
    ["check-transform", "no expression", { expression: "" }, "expression"],
    ["check-transform", "a sample that is a list", { expression: "value", sample: [] }, "sample"],
  ])("%s refuses %s and names the field", async (route, _, input, field) => {
    const { ask, world } = setUp();
    const { status, body } = await ask(route, input);
    expect([status, body.code]).toEqual([422, "invalid_input"]);
    expect((body.errors as { field: string }[])[0]?.field).toContain(field);
    expect([world.calls, world.writes]).toEqual([[], []]);
  });

  it("is no JSON, or no object", async () => {
    const { post } = setUp();
    expect((await post("/preview", "{")).body.code).toBe("invalid_json");
    expect((await post("/preview", [CONFIG])).body.code).toBe("invalid_json");
  });

  it("has another method, or goes nowhere", async () => {
    const { get, post } = setUp();
    expect((await get("/preview")).status).toBe(405);
    expect((await post("/nowhere", {})).status).toBe(404);
  });
});
