import { createHmac } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LOCAL_CRM_CLIENT } from "../../scripts/lib/crm-env.ts";
import { eventually } from "../support/eventually.ts";
import { connect, control, editMock, endpoint, newWorld, openSql, sync, type World } from "../support/world.ts";

/** A change in a CRM reaches us because the CRM says so, and nobody else can say so. */

const sql = openSql();
let world: World;
let hubspot: string;
let salesforce: string;
let portal: number;

const hook = () => `${endpoint().apiUrl}/functions/v1/crm-webhook`;

beforeAll(async () => {
  world = await newWorld();
  hubspot = await connect(world, "hubspot");
  salesforce = await connect(world, "salesforce");
  await sync(world, hubspot);
  await sync(world, salesforce);
  // Daily: no scheduled run can come in between.
  const { error } = await world.people.owner
    .from("crm_sync_configs")
    .update({ sync_frequency: "daily" })
    .in("id", [hubspot, salesforce]);
  if (error) throw error;
  portal = (await control<{ portal_id: number }>("hubspot", "state")).portal_id;
});

afterAll(async () => {
  await control("hubspot", "knobs", { webhooks: null });
  await control("salesforce", "knobs", { webhooks: null });
  await sql.end();
});

async function linked(config: string, entity: string): Promise<{ crm: string; record: string }> {
  const [link] = await sql<{ crm: string; record: string }[]>`
    select crm_record_id as crm, record_id as record from private.crm_record_links
    where config_id = ${config} and entity_type = ${entity} and crm_deleted_at is null order by crm_record_id limit 1`;
  if (link === undefined) throw new Error(`Nothing of ${entity} is linked.`);
  return link;
}

async function runsOf(config: string): Promise<string[]> {
  const rows = await sql<{ trigger: string }[]>`
    select trigger from public.crm_sync_operations where config_id = ${config} order by created_at`;
  return rows.map(({ trigger }) => trigger);
}

/** A message as HubSpot would send it. */
function post(events: object[], change: { secret?: string; time?: number; body?: string } = {}): Promise<Response> {
  const body = change.body ?? JSON.stringify(events);
  const time = String(change.time ?? Date.now());
  const url = `${hook()}/hubspot`;
  const signature = createHmac("sha256", change.secret ?? LOCAL_CRM_CLIENT.secret)
    .update(`POST${url}${body}${time}`)
    .digest("base64");
  const headers = { "x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": time };
  return fetch(url, { method: "POST", headers, body });
}

let eventId = 0;
function event(objectId: string, account = portal) {
  eventId += 1;
  const subscriptionType = "contact.propertyChange";
  return {
    eventId,
    subscriptionId: 1,
    portalId: account,
    occurredAt: Date.now(),
    subscriptionType,
    objectId: Number(objectId),
  };
}

async function counted(outcome: string): Promise<number> {
  const [row] = await sql<{ n: string | null }[]>`
    select sum(events) as n from private.crm_webhook_counts where crm_provider = 'hubspot' and outcome = ${outcome}`;
  return Number(row?.n ?? 0);
}

it("an edit in HubSpot is here moments later, though no run was due", async () => {
  const { crm, record } = await linked(hubspot, "contacts");
  await control("hubspot", "knobs", { webhooks: { url: `${hook()}/hubspot`, duplicates: true, outOfOrder: true } });
  await editMock("hubspot", { action: "edit", type: "contacts", id: crm, fields: { jobtitle: "Told by webhook" } });
  await eventually("the edit to arrive", async () => {
    const { data } = await world.people.viewer.from("crm_contacts").select("title").eq("id", record).single();
    return data?.title === "Told by webhook" ? true : null;
  });
  expect((await runsOf(hubspot)).at(-1)).toBe("webhook");
  await control("hubspot", "knobs", { webhooks: null });
});

it("an edit in Salesforce is here moments later, sent to the address that an admin made", async () => {
  const made = await world.people.admin.rpc("crm_create_webhook_url", { config_id: salesforce });
  if (made.error) throw made.error;
  expect(made.data).toMatch(new RegExp(`^${hook()}/salesforce/[0-9a-f]{64}$`));
  const { crm, record } = await linked(salesforce, "accounts");
  await control("salesforce", "knobs", { webhooks: { url: made.data } });
  await editMock("salesforce", { action: "edit", type: "Account", id: crm, fields: { Phone: "+49 30 1234567" } });
  await eventually("the edit to arrive", async () => {
    const { data } = await world.people.viewer.from("crm_companies").select("phone").eq("id", record).single();
    return data?.phone === "+49301234567" ? true : null;
  });
  expect((await runsOf(salesforce)).at(-1)).toBe("webhook");
  const state = await control<{ webhooks: { delivered: number; retried: number } }>("salesforce", "state");
  expect(state.webhooks.delivered).toBeGreaterThan(0);
});

it("what is forged, old, from the future or too large is refused, and nothing comes of it", async () => {
  const { crm } = await linked(hubspot, "contacts");
  const before = [await counted("accepted"), (await runsOf(hubspot)).length];
  const answers = await Promise.all([
    post([event(crm)], { secret: "a guess" }),
    post([event(crm)], { time: Date.now() - 6 * 60_000 }),
    post([event(crm)], { time: Date.now() + 6 * 60_000 }),
    post([], { body: `[${" ".repeat(1024 * 1024)}]` }),
    fetch(`${hook()}/hubspot`, { method: "POST", body: JSON.stringify([event(crm)]) }),
    fetch(`${hook()}/salesforce/${"0".repeat(64)}`, { method: "POST", body: "<x/>" }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 413, 401, 400]);
  expect([await counted("accepted"), (await runsOf(hubspot)).length]).toEqual(before);
});

it("a message that comes again, and one about somebody else's account, are answered like any other and change nothing", async () => {
  const { crm } = await linked(hubspot, "contacts");
  const once = [event(crm)];
  expect((await post(once)).status).toBe(200);
  const taken = [await counted("accepted"), await counted("duplicate"), await counted("unknown_account")];
  const [again, stranger] = [await post(once), await post([event(crm, 999_999)])];
  expect([again.status, stranger.status]).toEqual([200, 200]);
  expect(await again.text()).toBe(await stranger.text());
  expect([await counted("accepted"), await counted("duplicate"), await counted("unknown_account")]).toEqual([
    taken[0],
    (taken[1] ?? 0) + 1,
    (taken[2] ?? 0) + 1,
  ]);
});

it("no part of a message is kept but the record's id", async () => {
  const { crm } = await linked(hubspot, "contacts");
  const marker = "never-to-be-stored";
  expect((await post([{ ...event(crm), propertyName: "jobtitle", propertyValue: marker }])).status).toBe(200);
  const [found] = await sql<{ n: number }[]>`
    select (select count(*) from private.crm_dirty d where d::text like ${`%${marker}%`})::int
         + (select count(*) from public.crm_contacts c where c::text like ${`%${marker}%`})::int as n`;
  expect(found?.n).toBe(0);
});
