import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseFilters } from "../../src/realtime/filters.ts";
import { connect, subscribeToChanges, userToken } from "./support/clients.ts";
import { type RealtimeFixture, startRealtime } from "./support/fixture.ts";
import { ANNA, createTables } from "./support/tables.ts";
import { listen, newRows } from "./support/watch.ts";

describe("parsing a filter", () => {
  const column = (operator: string, value: string, negate = false) => ({ column: "a", operator, value, negate });

  it.each([
    ["", []],
    ["  ", []],
    ["a=eq.x", [column("eq", "x")]],
    ["a=not.eq.x", [column("eq", "x", true)]],
    ["a=in.(x,y)", [column("in", "{x,y}")]],
    ["a=gt.1,a=lt.9", [column("gt", "1"), column("lt", "9")]],
    ['a=eq."x,y"', [column("eq", "x,y")]],
    ['a=eq."say \\"hi\\""', [column("eq", 'say "hi"')]],
    ["a=eq.1.5", [column("eq", "1.5")]],
    ['a=in.("x,y",z),a=is.null', [column("in", '{"x,y",z}'), column("is", "null")]],
  ])("reads %j", (text, filters) => {
    expect(parseFilters(text)).toEqual(filters);
  });

  it.each([
    ["a=foo.x", '["foo", "x"]'],
    ["undefined", '["undefined"]'],
    ["a=eq.1,,a=eq.2", "filter must not contain empty segments (check for extra commas)"],
    ["a=in.x", "`in` filter value must be wrapped by parentheses"],
  ])("refuses %j", (text, message) => {
    expect(() => parseFilters(text)).toThrow(message);
  });
});

describe("filtering changes", () => {
  let fixture: RealtimeFixture;

  beforeAll(async () => {
    fixture = await startRealtime();
    await createTables(fixture.sql);
  });
  afterAll(() => fixture.close());

  const EXPECTED: Record<string, number[]> = {
    "amount=eq.10": [1],
    "amount=eq.10.00": [1],
    "amount=neq.10": [2, 3],
    "amount=lt.20": [1],
    "amount=lte.20": [1, 2],
    "amount=gt.10": [2, 3],
    "amount=gte.9": [1, 2, 3],
    "amount=in.(10,100)": [1, 3],
    "amount=not.in.(10,100)": [2],
    "name=like.A%": [1],
    "name=ilike.a%": [1, 2],
    "name=not.ilike.a%": [3],
    "name=match.^[A-Z]": [1],
    "name=imatch.^[A-Z]": [1, 2, 3],
    'name=eq."b, c"': [3],
    "name=is.null": [4],
    "name=not.is.null": [1, 2, 3],
    "flag=is.true": [1],
    "flag=not.is.true": [2, 3, 4],
    "flag=is.unknown": [3, 4],
    "amount=isdistinct.10": [2, 3, 4],
    "amount=not.isdistinct.10": [1],
    "seen_at=gt.2026-01-01T00:00:00+02:00": [2],
    "amount=gte.10,amount=lt.100": [1, 2],
    "amount=gte.10,flag=is.false": [2],
  };

  it("compares as Postgres does, for every operator, negated and combined", async () => {
    const client = await connect(fixture, await userToken(fixture, ANNA));
    const channel = client.channel("filters");
    const filtered = Object.keys(EXPECTED).map((filter) => ({
      filter,
      changes: listen(channel, { table: "samples", filter }),
    }));
    const all = listen(channel, { table: "samples" });
    const system = await subscribeToChanges(channel);
    expect(system.items[0]).toMatchObject({ status: "ok" });
    await fixture.sql`
      insert into public.samples (id, amount, name, flag, seen_at) values
        (1, 10, 'Anna', true, '2025-12-31 21:59:59Z'), (2, 20.0, 'adam', false, '2025-12-31 22:00:01Z'),
        (3, 100, 'b, c', null, null), (4, null, null, null, null)`;
    await all.count(4);
    const seen = filtered.map(({ filter, changes }) => [filter, newRows(changes.items).map((row) => row.id)]);
    expect(Object.fromEntries(seen)).toEqual(EXPECTED);
    client.realtime.disconnect();
  });

  it("compares deleted rows by what the log still knows of them", async () => {
    const client = await connect(fixture);
    const channel = client.channel("deleted");
    const pinned = listen(channel, { table: "notices", filter: "pinned=is.true", event: "DELETE" });
    const all = listen(channel, { table: "notices", event: "DELETE" });
    await subscribeToChanges(channel);
    await fixture.sql`insert into public.notices values (1, 'a', true), (2, 'b', false)`;
    await fixture.sql`delete from public.notices where true`;
    await all.count(2);
    expect(pinned.items.map((change) => (change.old as { id: number }).id)).toEqual([1]);
    client.realtime.disconnect();
  });

  it("cannot match a deleted row by a column outside its replica identity", async () => {
    const client = await connect(fixture, await userToken(fixture, ANNA));
    const channel = client.channel("unknown");
    const named = listen(channel, { table: "samples", filter: "name=is.null", event: "DELETE" });
    const all = listen(channel, { table: "samples", event: "DELETE" });
    await subscribeToChanges(channel);
    await fixture.sql`delete from public.samples where id = 4`;
    await all.count(1);
    expect(named.items).toEqual([]);
    client.realtime.disconnect();
  });
});
