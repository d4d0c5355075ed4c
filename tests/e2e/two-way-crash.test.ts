import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CRM_NAMES } from "../support/crm-names.ts";
import { functionPid, inMock, later } from "../support/two-way.ts";
import {
  connect,
  control,
  newWorld,
  openSql,
  type Provider,
  passTimeAfterDeath,
  sync,
  type World,
} from "../support/world.ts";

const CONTACTS = 450;

describe.each(["salesforce", "hubspot"] as const)("what can go wrong while %s is written", (provider) => {
  const sql = openSql();
  let world: World;
  let config: string;

  beforeAll(async () => {
    world = await newWorld();
    config = await connect(world, provider);
    await sync(world, config, () => {}, { direction: "from_crm", entities: ["contacts"] });
  });
  afterAll(async () => {
    await control(provider, "knobs", { latencyMs: 0, lostReplyRate: 0 });
    await sql.end();
  });

  async function create(tag: string): Promise<void> {
    const rows = Array.from({ length: CONTACTS }, (_, at) => ({
      workspace_id: world.workspaceId,
      last_name: `${tag} ${at}`,
      email: `${at}@${tag}.example`,
    }));
    const { error } = await world.people.owner.from("crm_contacts").insert(rows);
    expect(error).toBeNull();
  }

  /** E-mail addresses of a tag as the CRM has them, doubles included. */
  async function there(of: Provider, tag: string): Promise<string[]> {
    const { type, email } = CRM_NAMES[of].contact;
    const all = [...(await inMock(of, type)).values()].map((record) => String(record[email]));
    return all.filter((address) => address.endsWith(`@${tag}.example`)).sort();
  }

  async function untilNothingIsDue(): Promise<void> {
    for (let runs = 0; runs < 15; runs += 1) {
      await later(sql, config);
      const [left] = await sql`select count(*)::int as n from private.crm_outbox where config_id = ${config}`;
      if (left?.n === 0) return;
      await sync(world, config, () => {}, { entities: ["contacts"] });
    }
    const errors =
      await sql`select kind, code, message, status, attempts from public.crm_sync_errors where config_id = ${config} limit 3`;
    throw new Error(`The outbox never got empty: ${JSON.stringify(errors)}`);
  }

  const all = (tag: string) => Array.from({ length: CONTACTS }, (_, at) => `${at}@${tag}.example`).sort();

  test("a function process that is killed in the middle of a push creates nothing twice", async () => {
    const tag = `killed-${provider}`;
    await create(tag);
    await control(provider, "knobs", { latencyMs: 150 });
    let killed = false;
    let recovery = Promise.resolve();
    await sync(
      world,
      config,
      ({ id, progress }) => {
        const { done = 0 } = (progress?.entities as Record<string, { done: number }>)?.contacts_to_crm ?? {};
        if (killed || done === 0 || done >= CONTACTS) return;
        killed = true;
        process.kill(functionPid("crm-sync"), "SIGKILL");
        recovery = passTimeAfterDeath(sql, id);
      },
      { entities: ["contacts"] },
    );
    await recovery;
    await control(provider, "knobs", { latencyMs: 0 });
    expect(killed).toBe(true);
    await untilNothingIsDue();
    expect(await there(provider, tag)).toEqual(all(tag));
  });

  test("answers that get lost create nothing twice", async () => {
    const tag = `lost-${provider}`;
    await create(tag);
    await control(provider, "knobs", { lostReplyRate: 0.3 });
    await sync(world, config, () => {}, { entities: ["contacts"] });
    await control(provider, "knobs", { lostReplyRate: 0 });
    await untilNothingIsDue();
    expect(await there(provider, tag)).toEqual(all(tag));
  });
});
