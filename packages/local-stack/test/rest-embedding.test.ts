import { describe, expect, test } from "vitest";
import { client, useStack } from "./support/stack.ts";

/** Two workspaces whose keys are of two columns, as in a schema where no row may point into another workspace. */
const stack = useStack({
  "supabase/migrations/20260101000000_tables.sql": `
    create table public.workspaces (id int primary key, name text not null);
    create table public.members (
      workspace_id int not null references public.workspaces, user_id int not null, email text, primary key (workspace_id, user_id)
    );
    create table public.companies (
      id int primary key, workspace_id int not null references public.workspaces, name text not null, parent_id int, owner_id int,
      unique (workspace_id, id),
      foreign key (workspace_id, parent_id) references public.companies (workspace_id, id),
      foreign key (workspace_id, owner_id) references public.members (workspace_id, user_id)
    );
    create table public.contacts (
      id int primary key, workspace_id int not null references public.workspaces, name text not null, company_id int,
      boss_id int references public.contacts, owner_id int, amount numeric(18, 2) not null default 10.50,
      unique (workspace_id, id),
      constraint works_at foreign key (workspace_id, company_id) references public.companies (workspace_id, id),
      foreign key (workspace_id, owner_id) references public.members (workspace_id, user_id)
    );
    create table public.deals (
      id int primary key, workspace_id int not null, title text not null, company_id int, buyer_id int, seller_id int,
      foreign key (workspace_id, company_id) references public.companies (workspace_id, id),
      constraint deals_buyer foreign key (workspace_id, buyer_id) references public.contacts (workspace_id, id),
      constraint deals_seller foreign key (workspace_id, seller_id) references public.contacts (workspace_id, id)
    );
    create table public.profiles (
      contact_id int primary key references public.contacts, bio text not null
    );
    create table public.tags (id int primary key, label text not null);
    create table public.contact_tags (
      contact_id int references public.contacts, tag_id int references public.tags, primary key (contact_id, tag_id)
    );
    create table public.notes (
      id int primary key, contact_id int references public.contacts, tag_id int references public.tags, body text
    );
    create view public.people with (security_invoker) as
      select c.id as person_id, c.workspace_id, c.name as full_name, c.company_id from public.contacts c where c.id > 0;
    create view public.people_of_people with (security_invoker) as select person_id, workspace_id, company_id from public.people;
    create view public.company_sizes with (security_invoker) as
      select w.id as workspace_id, count(*) as companies from public.workspaces w join public.companies c on c.workspace_id = w.id
      group by w.id;
    create function public.first_company(w public.workspaces) returns setof public.companies rows 1
      language sql stable set search_path = '' as $$ select * from public.companies c where c.workspace_id = w.id order by c.id limit 1 $$;
    create function public.shout(c public.companies) returns text language sql stable set search_path = '' as $$ select upper(c.name) $$;
    create function public.contacts_of(company int) returns setof public.contacts
      language sql stable set search_path = '' as $$ select * from public.contacts c where c.company_id = company $$;
    grant all on all tables in schema public to service_role;

    insert into public.workspaces values (1, 'One'), (2, 'Two');
    insert into public.members values (1, 1, 'ann@one'), (2, 1, 'ann@two');
    insert into public.companies values (1, 1, 'Alpha', null, 1), (2, 1, 'Beta', 1, null), (3, 2, 'Gamma', null, 1);
    insert into public.contacts (id, workspace_id, name, company_id, boss_id, owner_id) values
      (1, 1, 'Ada', 1, null, 1), (2, 1, 'Bob', 2, 1, null), (3, 1, 'Cy', null, null, null), (4, 2, 'Dee', 3, null, 1);
    insert into public.deals values (1, 1, 'Big', 1, 1, 2);
    insert into public.profiles values (1, 'counts');
    insert into public.tags values (1, 'vip'), (2, 'new');
    insert into public.contact_tags values (1, 1), (1, 2), (2, 2);
  `,
});

/** Asked with the schema, as supabase-js does, and without. */
async function rows(query: string): Promise<unknown> {
  const profiles: Record<string, string>[] = [{ "accept-profile": "public" }, {}];
  const [named, unnamed] = await Promise.all(
    profiles.map(async (profile) => {
      const headers = { apikey: stack.secretKey, ...profile };
      return (await fetch(`${stack.apiUrl}/rest/v1/${query}`, { headers })).json();
    }),
  );
  expect(named).toEqual(unnamed);
  return named;
}

describe("a key of two columns", () => {
  test("joins on both: each contact has its own company, and none when it has none", async () => {
    expect(await rows("contacts?select=name,companies(name)&order=id")).toEqual([
      { name: "Ada", companies: { name: "Alpha" } },
      { name: "Bob", companies: { name: "Beta" } },
      { name: "Cy", companies: null },
      { name: "Dee", companies: { name: "Gamma" } },
    ]);
  });

  test("so it does with the constraint as a hint, and the other way round", async () => {
    expect(await rows("contacts?select=name,at:companies!works_at(name)&id=eq.2")).toEqual([
      { name: "Bob", at: { name: "Beta" } },
    ]);
    expect(await rows("companies?select=name,contacts!works_at(name)&order=id&workspace_id=eq.1")).toEqual([
      { name: "Alpha", contacts: [{ name: "Ada" }] },
      { name: "Beta", contacts: [{ name: "Bob" }] },
    ]);
    expect(await rows("deals?select=title,works:deals_buyer(name)")).toEqual([
      { title: "Big", works: { name: "Ada" } },
    ]);
  });

  test("two keys to one table in one query", async () => {
    expect(
      await rows("deals?select=title,buyer:contacts!deals_buyer(name),seller:contacts!deals_seller(name)"),
    ).toEqual([{ title: "Big", buyer: { name: "Ada" }, seller: { name: "Bob" } }]);
  });

  test("in depth, with filters, order, limit and spread", async () => {
    expect(
      await rows(
        "workspaces?select=name,companies(name,contacts(name,owner:members(email)))" +
          "&companies.name=neq.Beta&companies.contacts.order=name.desc&companies.contacts.limit=1&order=id",
      ),
    ).toEqual([
      { name: "One", companies: [{ name: "Alpha", contacts: [{ name: "Ada", owner: { email: "ann@one" } }] }] },
      { name: "Two", companies: [{ name: "Gamma", contacts: [{ name: "Dee", owner: { email: "ann@two" } }] }] },
    ]);
    expect(
      await rows("contacts?select=name,...companies(company:name)&companies=not.is.null&order=companies(name).desc"),
    ).toEqual([
      { name: "Dee", company: "Gamma" },
      { name: "Bob", company: "Beta" },
      { name: "Ada", company: "Alpha" },
    ]);
    expect(await rows("companies?select=name,contacts!inner(name)&contacts.name=eq.Ada")).toEqual([
      { name: "Alpha", contacts: [{ name: "Ada" }] },
    ]);
    expect(await rows("companies?select=name,contacts(count)&order=id&limit=1")).toEqual([
      { name: "Alpha", contacts: [{ count: 1 }] },
    ]);
  });

  test("values inside are as they are outside", async () => {
    expect(await rows("companies?select=contacts(amount)&id=eq.1")).toEqual([{ contacts: [{ amount: 10.5 }] }]);
  });

  test("a row that is written comes back with what it points to", async () => {
    const api = client(stack, stack.secretKey);
    const made = await api
      .from("contacts")
      .insert({ id: 9, workspace_id: 1, name: "Eve", company_id: 2 })
      .select("name, company:companies(name)");
    expect(made.error).toBeNull();
    expect(made.data).toEqual([{ name: "Eve", company: { name: "Beta" } }]);
    await api.from("contacts").delete().eq("id", 9);
  });
});

describe("relationships of other kinds", () => {
  test("a table to itself: its name means the rows that point here, a column what the row points to", async () => {
    expect(await rows("companies?select=name,companies(name)&id=eq.1")).toEqual([
      { name: "Alpha", companies: [{ name: "Beta" }] },
    ]);
    expect(await rows("contacts?select=name,boss_id(name),contacts(name)&id=in.(1,2)&order=id")).toEqual([
      { name: "Ada", boss_id: null, contacts: [{ name: "Bob" }] },
      { name: "Bob", boss_id: { name: "Ada" }, contacts: [] },
    ]);
  });

  test("one to one, from both sides", async () => {
    expect(await rows("contacts?select=name,profiles(bio)&id=in.(1,2)&order=id")).toEqual([
      { name: "Ada", profiles: { bio: "counts" } },
      { name: "Bob", profiles: null },
    ]);
    expect(await rows("profiles?select=bio,contacts(name)")).toEqual([{ bio: "counts", contacts: { name: "Ada" } }]);
  });

  test("many to many only over a table whose primary key is made of both keys", async () => {
    expect(await rows("contacts?select=name,tags(label)&id=eq.1&tags.order=label")).toEqual([
      { name: "Ada", tags: [{ label: "new" }, { label: "vip" }] },
    ]);
    expect(await rows("tags?select=label,contacts!contact_tags(name)&id=eq.1")).toEqual([
      { label: "vip", contacts: [{ name: "Ada" }] },
    ]);
  });

  test("through views, and views of views, also where they group", async () => {
    expect(await rows("people?select=full_name,companies(name)&person_id=eq.2")).toEqual([
      { full_name: "Bob", companies: { name: "Beta" } },
    ]);
    expect(await rows("companies?select=name,people_of_people(person_id)&id=eq.2")).toEqual([
      { name: "Beta", people_of_people: [{ person_id: 2 }] },
    ]);
    expect(await rows("members?select=email,workspaces(name)&order=email")).toMatchObject([
      { workspaces: { name: "One" } },
      { workspaces: { name: "Two" } },
    ]);
  });

  test("functions that stand for a relationship or a column, at any depth", async () => {
    expect(await rows("workspaces?select=name,first_company(name,shout,contacts(name))&id=eq.1")).toEqual([
      { name: "One", first_company: { name: "Alpha", shout: "ALPHA", contacts: [{ name: "Ada" }] } },
    ]);
    expect(await rows("contacts?select=companies(shout,workspaces(first_company(name)))&id=eq.2")).toEqual([
      { companies: { shout: "BETA", workspaces: { first_company: { name: "Alpha" } } } },
    ]);
  });

  test("the rows of a function embed as those of its table", async () => {
    expect(await rows("rpc/contacts_of?company=2&select=name,companies(name)")).toEqual([
      { name: "Bob", companies: { name: "Beta" } },
    ]);
  });
});

describe("what cannot be embedded", () => {
  test("no relationship: PGRST200", async () => {
    expect(await rows("companies?select=name,tags(label)")).toEqual({
      code: "PGRST200",
      message: "Could not find a relationship between 'companies' and 'tags' in the schema cache",
      details:
        "Searched for a foreign key relationship between 'companies' and 'tags' in the schema 'public', but no matches were found.",
      hint: null,
    });
    expect(await rows("companies?select=name,contacts!nonsense(name)")).toMatchObject({
      code: "PGRST200",
      details: expect.stringContaining("using the hint 'nonsense'"),
    });
  });

  test("several: PGRST201, which says how to choose", async () => {
    expect(await rows("deals?select=title,contacts(name)")).toEqual({
      code: "PGRST201",
      message: "Could not embed because more than one relationship was found for 'deals' and 'contacts'",
      details: [
        {
          cardinality: "many-to-one",
          embedding: "deals with contacts",
          relationship: "deals_buyer using deals(workspace_id, buyer_id) and contacts(workspace_id, id)",
        },
        {
          cardinality: "many-to-one",
          embedding: "deals with contacts",
          relationship: "deals_seller using deals(workspace_id, seller_id) and contacts(workspace_id, id)",
        },
      ],
      hint:
        "Try changing 'contacts' to one of the following: 'contacts!deals_buyer', 'contacts!deals_seller'. " +
        "Find the desired relationship in the 'details' key.",
    });
  });

  test("a column that is not there is the embedded table's", async () => {
    expect(await rows("contacts?select=name,companies(nonsense)")).toMatchObject({ code: "42703" });
  });
});
