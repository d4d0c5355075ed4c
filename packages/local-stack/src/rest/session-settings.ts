import type { Sql } from "postgres";

export type Setting = [name: string, value: string];

/** What PostgREST sets at the start of each request's transaction, read from the catalogue and kept until `forget`. */
export interface SessionSettings {
  /** For a role, and for the function when the request calls one. */
  of(role: string, functionName: string | undefined): Promise<Setting[]>;
  forget(): void;
}

/** Settings of a function that PostgREST applies to the whole request, because they would come too late inside it. */
const HOISTED = ["statement_timeout", "plan_filter.statement_cost_limit", "default_transaction_isolation"];

interface Loaded {
  roles: Map<string, Setting[]>;
  functions: Map<string, Setting[]>;
}

export function createSessionSettings(sql: Sql, schemas: readonly string[]): SessionSettings {
  let loading: Promise<Loaded> | undefined;
  return {
    async of(role, functionName) {
      loading ??= load(sql, schemas);
      const { roles, functions } = await loading;
      return [...(roles.get(role) ?? []), ...(functions.get(functionName ?? "") ?? [])];
    },
    forget: () => {
      loading = undefined;
    },
  };
}

async function load(sql: Sql, schemas: readonly string[]): Promise<Loaded> {
  const [roles, functions] = await Promise.all([
    sql<{ name: string; settings: string[] }[]>`
      select rolname as name, coalesce(rolconfig, '{}') as settings from pg_roles
      where rolname = 'authenticator' or pg_has_role('authenticator', oid, 'member')`,
    sql<{ name: string; settings: string[] }[]>`
      select proname as name, proconfig as settings from pg_proc
      where proconfig is not null and pronamespace = any (select to_regnamespace(s) from unnest(${[...schemas]}::text[]) s)`,
  ]);
  const own = new Map(roles.map(({ name, settings }) => [name, settings.map(split)]));
  // A role without a limit of its own runs under that of the role which the API logs in as.
  const shared = (own.get("authenticator") ?? []).filter(([name]) => name.endsWith("_timeout"));
  return {
    roles: new Map([...own].map(([role, settings]) => [role, [...new Map([...shared, ...settings])]])),
    functions: new Map(
      functions.map(({ name, settings }) => [name, settings.map(split).filter(([each]) => HOISTED.includes(each))]),
    ),
  };
}

function split(text: string): Setting {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}
