import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { untilVisible } from "../../src/realtime/committed.ts";
import { type RealtimeFixture, startRealtime } from "./support/fixture.ts";
import { ANNA, ANNAS_WORKSPACE, BEN, BENS_WORKSPACE, createTables } from "./support/tables.ts";
import { newRows, watch } from "./support/watch.ts";

const ROWS = 20_000;
const SINGLE_CHANGES = 100;

let fixture: RealtimeFixture;

beforeAll(async () => {
  fixture = await startRealtime();
  await createTables(fixture.sql);
});
afterAll(() => fixture.close());

function addDeals(workspace: string, count: number) {
  return fixture.sql`
    insert into public.deals (workspace_id, title, amount, tags, details)
    select ${workspace}, 'Deal ' || i, i, array['a', 'b'], jsonb_build_object('number', i)
      from generate_series(1, ${count}::int) i`;
}

describe("bursts", () => {
  it("delivers each single change by itself, without a later one to push it out", async () => {
    const anna = await watch(fixture, ANNA, { table: "deals" });
    for (let index = 0; index < SINGLE_CHANGES; index++) {
      await addDeals(ANNAS_WORKSPACE, 1);
      await anna.changes.count(index + 1);
      expect(anna.changes.items).toHaveLength(index + 1);
    }
    anna.client.realtime.disconnect();
  });

  it("judges no row before other sessions see its transaction", async () => {
    const steps: string[] = [];
    const judged = await fixture.sql.begin(async (sql) => {
      const [row] = await sql<{ id: string }[]>`select pg_current_xact_id()::text as id`;
      const waiting = untilVisible(fixture.sql, [Number(row?.id)]).then(() => steps.push("judged"));
      await fixture.sql`select pg_sleep(0.05)`;
      steps.push("committed");
      return { waiting };
    });
    await judged.waiting;
    expect(steps).toEqual(["committed", "judged"]);
  });

  it(`delivers a merge of ${ROWS.toLocaleString("en")} rows completely, in order and to the right users`, async () => {
    const anna = await watch(fixture, ANNA, { table: "deals" });
    const ben = await watch(fixture, BEN, { table: "deals" });
    await fixture.sql.begin(async (sql) => {
      await sql`select set_config('application_name', 'merge', true)`;
      await addDeals(ANNAS_WORKSPACE, ROWS);
      await addDeals(BENS_WORKSPACE, 1);
    });
    const numbers = newRows(await anna.changes.count(ROWS)).map((row) => row.amount);
    await ben.changes.count(1);
    expect(numbers).toEqual(Array.from({ length: ROWS }, (_, index) => index + 1));
    expect(ben.changes.items).toHaveLength(1);
    for (const user of [anna, ben]) user.client.realtime.disconnect();
  });

  it("delivers a progress row behind a merge of another table that nobody watches", async () => {
    await fixture.sql`create table public.bulk (id int primary key, body text)`;
    await fixture.sql`alter publication supabase_realtime add table public.bulk`;
    const progress = await watch(fixture, null, { table: "notices" });
    await fixture.sql`insert into public.bulk select i, repeat('x', 500) from generate_series(1, ${ROWS}::int) i`;
    await fixture.sql`insert into public.notices values (1, '100 %', false)`;
    expect(newRows(await progress.changes.count(1))).toMatchObject([{ id: 1, body: "100 %" }]);
    progress.client.realtime.disconnect();
  });
});
