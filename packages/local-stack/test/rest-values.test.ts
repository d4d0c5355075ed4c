import { describe, expect, test } from "vitest";
import { withPlainFilterValues } from "../src/rest/filter-values.ts";
import { client, useStack } from "./support/stack.ts";

const stack = useStack({
  "supabase/migrations/20260101000000_samples.sql": `
    create type public.money_pair as (amount numeric, currency text);
    create table public.samples (
      id bigint generated always as identity primary key,
      amount numeric(18, 2), big bigint, ratio float8, flag boolean, label text,
      at timestamptz, local_at timestamp, day date, hour time, lasting interval,
      details jsonb, tags jsonb, labels text[], amounts numeric[], span int4range, bytes bytea, pair public.money_pair
    );
    insert into public.samples
      (amount, big, ratio, flag, label, at, local_at, day, hour, lasting, details, tags, labels, amounts, span, bytes, pair)
    values (
      1000.00, 9007199254740991, 1.5, true, '+49 30 1', '2026-11-21 04:55:33.12+00', '2026-11-21 04:55:33.12', '2026-11-21', '04:55',
      '1 day 02:00', '{"tags": ["vip"], "score": 1.5}', '["vip"]', '{x,"y z"}', '{1.10,2}', '[1,5)', '\\x00ff', '(2.50,EUR)'
    ), (7.25, 2, 0, false, '1.50', null, null, null, null, null, '{"tags": [], "score": 3}', '[]', '{}', null, null, null, null);
    create view public.sample_view with (security_invoker) as select id, amount, at from public.samples;
    create function public.total() returns numeric language sql stable set search_path = ''
      as $$ select sum(amount) from public.samples $$;
    create function public.moment() returns timestamptz language sql stable set search_path = ''
      as $$ select at from public.samples where id = 1 $$;
    create function public.first_sample() returns public.samples language sql stable set search_path = ''
      as $$ select s from public.samples s where id = 1 $$;
    create function public.kind_of(given jsonb default null) returns text language sql stable set search_path = ''
      as $$ select jsonb_typeof(given) || ' ' || given::text $$;
    create function public.nothing() returns void language sql set search_path = '' as $$ select $$;
    grant select, insert, update, delete on public.samples, public.sample_view to service_role;
  `,
});

const api = () => client(stack, stack.secretKey);
const samples = () => api().from("samples");

/** What PostgreSQL's to_json gives, which is what PostgREST answers. */
const first = {
  id: 1,
  amount: 1000,
  big: 9007199254740991,
  ratio: 1.5,
  flag: true,
  label: "+49 30 1",
  at: "2026-11-21T04:55:33.12+00:00",
  local_at: "2026-11-21T04:55:33.12",
  day: "2026-11-21",
  hour: "04:55:00",
  lasting: "1 day 02:00:00",
  details: { tags: ["vip"], score: 1.5 },
  tags: ["vip"],
  labels: ["x", "y z"],
  amounts: [1.1, 2],
  span: "[1,5)",
  bytes: "\\x00ff",
  pair: { amount: 2.5, currency: "EUR" },
};

describe("values in answers", () => {
  test("a table's columns have the JSON types of hosted", async () => {
    expect((await samples().select().eq("id", 1).single()).data).toEqual(first);
    expect((await samples().select("sum:amount, details->score, day::text").eq("id", 1).single()).data).toEqual({
      sum: 1000,
      score: 1.5,
      day: "2026-11-21",
    });
  });

  test.each([
    [{ title: "Merged" }, 'object {"title": "Merged"}'],
    [["a", { b: 1 }], 'array ["a", {"b": 1}]'],
    [[], "array []"],
    ["{not json", 'string "{not json"'],
    [null, null],
  ])("%j is the same to a function that takes JSON", async (given, seen) => {
    expect((await api().rpc("kind_of", { given })).data).toBe(seen);
  });

  test("so have a view's, and what functions return", async () => {
    const { data } = await api().from("sample_view").select().eq("id", 1).single();
    expect(data).toEqual({ id: 1, amount: 1000, at: first.at });
    expect((await api().rpc("total")).data).toBe(1007.25);
    expect((await api().rpc("moment")).data).toBe(first.at);
    expect((await api().rpc("first_sample")).data).toEqual(first);
    expect(await api().rpc("nothing")).toMatchObject({ status: 204, data: null });
  });

  test("so has what an insert, an update, an upsert or a delete hands back", async () => {
    const row = { amount: 12.5, at: "2026-01-02T03:04:05Z" };
    const shown = { amount: 12.5, at: "2026-01-02T03:04:05+00:00" };
    const made = await samples().insert(row).select("id, amount, at").single();
    expect(made.data).toMatchObject(shown);
    const id = made.data?.id;
    const changed = await samples().update({ amount: 13 }).eq("id", id).select("amount, at");
    expect(changed.data).toEqual([{ ...shown, amount: 13 }]);
    const gone = await samples().delete().eq("id", id).select("total:amount, at");
    expect(gone.data).toEqual([{ total: 13, at: shown.at }]);
  });

  test("exact counts are still counted", async () => {
    const { count, data } = await samples().select("id", { count: "exact" }).limit(1);
    expect([count, data]).toEqual([2, [{ id: 1 }]]);
  });
});

describe("values in filters", () => {
  const ids = async (filter: string) => {
    const answer = await fetch(`${stack.apiUrl}/rest/v1/samples?select=id&order=id&${filter}`, {
      headers: { apikey: stack.secretKey, "accept-profile": "public" },
    });
    const body = await answer.json();
    return Array.isArray(body) ? body.map((row: { id: number }) => row.id) : body.code;
  };

  test.each([
    ["label=eq.%2B49 30 1", [1]],
    ["label=eq.1.50", [2]],
    ["label=eq.1.5", []],
    ["label=in.(%2B49 30 1,1.50)", [1, 2]],
    ['label=in.("+49 30 1",1.5)', []],
    ["or=(label.eq.1.50,label.eq.%2B49 30 1)", [1, 2]],
    ["label=eq.null", []],
    ["amount=eq.1000.0", [1]],
    ["amount=gt.7&amount=lt.8", [2]],
    ["big=eq.9007199254740991", [1]],
    ["flag=eq.true", [1]],
    ["flag=not.eq.1", [2]],
    ["flag=is.false", [2]],
    ["at=eq.2026-11-21T04:55:33.12Z", [1]],
    ["labels=cs.{x}", [1]],
    ["span=cs.[2,3)", [1]],
    ["id=neq.1&id=neq.2", []],
    ["label=not.eq.1.50&label=not.eq.x", [1]],
    ["id=eq.one", "22P02"],
    ["flag=eq.perhaps", "22P02"],
  ])("%s", async (filter, expected) => {
    expect(await ids(filter)).toEqual(expected);
  });

  test.each([
    ['tags=cs.["vip"]', [1]],
    ['tags=cs."vip"', [1]],
    ["tags=cd.[]", [2]],
    ["tags=eq.[]", [2]],
    ['details=cs.{"tags":["vip"]}', [1]],
    ['details=not.cs.{"score":3}', [1]],
    ["details->score=eq.1.5", [1]],
    ["details->score=gt.2", [2]],
    ["details->score=in.(3,4)", [2]],
    ["details->>score=eq.1.5", [1]],
    ['or=(tags.cs.["vip"],id.eq.2)', [1, 2]],
    ["tags=cs.{vip}", "22P02"],
    ["tags=cs.vip", "22P02"],
    ['details->tags=cs.["vip"]', "PGRST127"],
  ])("JSON: %s", async (filter, expected) => {
    expect(await ids(filter)).toEqual(expected);
  });

  test("what is no filter stays as it is", () => {
    const query =
      "?select=id%2Cname&order=eq.asc&limit=1&co.order=name&columns=a&id=is.null&name=like.*x*&or=%28a.is.null%29";
    expect([...new URLSearchParams(withPlainFilterValues(query))]).toEqual([...new URLSearchParams(query)]);
  });
});
