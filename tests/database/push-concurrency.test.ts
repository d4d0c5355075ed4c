import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bench } from "../support/bench.ts";
import { connect, newWorld } from "../support/world.ts";

type Session = postgres.Sql | postgres.TransactionSql;

interface Item {
  key: string;
  version: string;
  action: string;
  crm_id: string | null;
  values: Record<string, unknown>;
  relations: Record<string, unknown>;
  updated_at: string;
}

interface Run {
  operation: string;
  fence: string;
}

const CONTACTS = 12;
/** An edit, a merge or an answer that waits longer than this waits for a lock that nobody gives back. */
const PATIENCE_MS = 20_000;

const open = () => postgres(bench().dbUrl, { max: 1, onnotice: () => {} });
const [worker, person, reader] = [open(), open(), open()];
const crmId = (index: number) => `003RACE${String(index).padStart(4, "0")}`;
let configId = "";
let workspaceId = "";

beforeAll(async () => {
  const world = await newWorld();
  workspaceId = world.workspaceId;
  configId = await connect(world, "salesforce");
  const run = await newRun();
  await merge(
    worker,
    run,
    Array.from({ length: CONTACTS }, (_, index) => index),
    "Before",
  );
});

afterAll(() => Promise.all([worker, person, reader].map((sql) => sql.end())));

async function newRun(): Promise<Run> {
  await worker`update public.crm_sync_operations set status = 'completed' where config_id = ${configId}`;
  const [made] = await worker<{ id: string }[]>`
    insert into public.crm_sync_operations (workspace_id, config_id, direction, entities)
    values (${workspaceId}, ${configId}, 'bidirectional', '{contacts}') returning id`;
  await worker`insert into private.crm_operation_state (operation_id) values (${made?.id ?? ""})`;
  return claim(made?.id ?? "");
}

async function claim(operation: string): Promise<Run> {
  const [claimed] = await worker<{ fence: string }[]>`
    select fence::text from private.crm_claim(${operation}, ${randomUUID()}, 600)`;
  if (claimed === undefined) throw new Error("The run could not be claimed.");
  return { operation, fence: claimed.fence };
}

const merge = (sql: Session, run: Run, indexes: readonly number[], title: string) =>
  sql`select private.crm_merge_page(${run.operation}, ${run.fence}, 'contacts', ${JSON.stringify(
    indexes.map((index) => ({
      crm_id: crmId(index),
      modified_at: "2026-01-01T00:00:00Z",
      deleted: false,
      values: { first_name: `Person ${index}`, title },
    })),
  )}::text::jsonb, '[]', null, null)`;

async function take(sql: Session, run: Run, limit = 100): Promise<Item[]> {
  const [row] = await sql<{ items: Item[] }[]>`
    select private.crm_take_outbound(${run.operation}, ${run.fence}, 'contacts', ${limit}) -> 'items' as items`;
  return row?.items ?? [];
}

const settle = (sql: Session, run: Run, items: readonly Item[]) =>
  sql`select private.crm_settle_outbound(${run.operation}, ${run.fence}, 'contacts', ${JSON.stringify(
    items.map(({ values, ...item }) => ({
      ...item,
      outcome: "written",
      crm_id: item.crm_id ?? `003NEW${item.key}`,
      sent: values,
    })),
  )}::text::jsonb)`;

const edit = (sql: Session, indexes: readonly number[], title: string) =>
  sql`update public.crm_contacts set title = ${title}
      where workspace_id = ${workspaceId} and first_name = any (${indexes.map((index) => `Person ${index}`)})`;

const titles = (items: readonly Item[]) => items.map(({ values }) => values.title);

async function drain(run: Run): Promise<void> {
  for (let items = await take(worker, run); items.length > 0; items = await take(worker, run))
    await settle(worker, run, items);
}

describe("an answer of the CRM and an edit at the same moment", () => {
  test("the edit that is open while the answer is settled goes out next", async () => {
    const run = await newRun();
    await drain(run);
    await edit(person, [1], "First");
    const items = await take(worker, run);
    expect(titles(items)).toEqual(["First"]);
    await person.begin(async (open) => {
      await edit(open, [1], "Second");
      // Were settling to wait for the person, both would wait for ever.
      await settle(worker, run, items);
    });
    const next = await take(worker, run);
    expect(titles(next)).toEqual(["Second"]);
    await settle(worker, run, next);
    expect(await take(worker, run)).toEqual([]);
  });

  test("the edit that waits for the answer's end goes out next", async () => {
    const run = await newRun();
    await drain(run);
    await edit(person, [2], "First");
    const items = await take(worker, run);
    let edited: Promise<unknown> = Promise.resolve();
    await worker.begin(async (open) => {
      await settle(open, run, items);
      edited = edit(person, [2], "Second").execute();
      await waitsForALock();
    });
    await edited;
    expect(titles(await take(worker, run))).toEqual(["Second"]);
    await drain(run);
  });

  test("a record that somebody is editing is taken with the edit, not before it", async () => {
    const run = await newRun();
    await drain(run);
    await person.begin(async (open) => {
      await edit(open, [3], "Open");
      expect(await take(worker, run)).toEqual([]);
    });
    expect(titles(await take(worker, run))).toEqual(["Open"]);
    await drain(run);
  });
});

/** Until the person's session waits for a lock. */
async function waitsForALock(): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  while (Date.now() < until) {
    const [waiting] = await reader<{ n: number }[]>`
      select count(*)::int as n from pg_catalog.pg_stat_activity where wait_event_type = 'Lock' and query like '%crm_contacts%'`;
    if ((waiting?.n ?? 0) > 0) return;
  }
  throw new Error("The edit did not wait for the answer to be settled.");
}

test("of two workers only the later one writes", async () => {
  const first = await newRun();
  await drain(first);
  await edit(person, [4], "Once");
  const items = await take(worker, first);
  await worker`update private.crm_operation_state set lease_expires_at = now() - interval '1 second' where operation_id = ${first.operation}`;
  const second = await claim(first.operation);
  const both = await Promise.allSettled([settle(person, first, items), take(worker, second)]);
  expect(both[0]).toMatchObject({ status: "rejected", reason: { code: "PC007" } });
  expect(both[1]).toMatchObject({ status: "fulfilled" });
  await settle(worker, second, items);
  expect(await take(worker, second)).toEqual([]);
});

test("people who edit, merges and answers go on side by side without waiting for each other in a circle", async () => {
  const run = await newRun();
  await drain(run);
  const until = Date.now() + 8_000;
  let rounds = 0;
  let edits = 0;
  let done = false;
  const editing = async () => {
    // Several records in one transaction, in an order of their own.
    while (!done) {
      const pair = [edits % CONTACTS, (edits * 5 + 3) % CONTACTS];
      await person.begin(async (open) => {
        for (const index of pair) await edit(open, [index], `Edit ${edits}`);
      });
      edits += 1;
    }
  };
  const working = async () => {
    for (; rounds < 300 && Date.now() < until; rounds += 1) {
      const items = await take(worker, run, 1 + (rounds % 7));
      if (items.length > 0) await settle(worker, run, items);
      // One record a merge: how a merge and an edit of several records order their locks is not the outbox's matter.
      await merge(worker, run, [rounds % CONTACTS], `Edit ${edits}`);
    }
    done = true;
  };
  await Promise.all([
    working().finally(() => {
      done = true;
    }),
    editing(),
  ]);
  expect(rounds).toBeGreaterThan(30);
  expect(edits).toBeGreaterThan(30);
  await drain(run);
  const [apart] = await reader<{ n: number }[]>`
    select count(*)::int as n from private.crm_record_links l join public.crm_contacts c on c.id = l.record_id
    where l.config_id = ${configId} and l.base ->> 'title' is distinct from c.title`;
  expect(apart?.n).toBe(0);
}, 60_000);
