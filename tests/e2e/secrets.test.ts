import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LOCAL_CRM_CLIENT } from "../../scripts/lib/crm-env.ts";
import { bench } from "../support/bench.ts";
import { connect, newWorld, openSql, sync, type World } from "../support/world.ts";

/** Every secret of the run: OAuth tokens, client secrets, the dispatch secret. */
async function readSecrets(sql: ReturnType<typeof openSql>): Promise<string[]> {
  const rows = await sql<
    { secret: string }[]
  >`select decrypted_secret as secret from vault.decrypted_secrets where name is distinct from 'project_url'`;
  const values = rows.flatMap(({ secret }) =>
    secret.startsWith("{") ? Object.values(JSON.parse(secret) as Record<string, unknown>) : [secret],
  );
  return values.filter((value): value is string => typeof value === "string" && value.length >= 16);
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

describe("secrets stay in the Vault", () => {
  const sql = openSql();
  let world: World;
  let secrets: string[];

  beforeAll(async () => {
    world = await newWorld();
    for (const provider of ["salesforce", "hubspot"] as const)
      await sync(world, await connect(world, provider), () => {}, { direction: "from_crm" });
    secrets = await readSecrets(sql);
  });
  afterAll(() => sql.end());

  test("there are secrets to look for", () => {
    expect(secrets.length).toBeGreaterThanOrEqual(6);
    expect(secrets).toContain(LOCAL_CRM_CLIENT.secret);
  });

  test("no table outside the Vault holds one", async () => {
    const tables = await sql<{ name: string }[]>`
      select format('%I.%I', n.nspname, c.relname) as name
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'vault', 'pg_toast', 'net')
        and n.nspname not like 'pg_temp%' and has_table_privilege(c.oid, 'select')`;
    expect(tables.length).toBeGreaterThan(30);
    const found: string[] = [];
    for (const { name } of tables) {
      const [hit] = await sql.unsafe(
        // Each row becomes text once, not once per secret.
        `select 1 from (select t::text as line from ${name} t offset 0) r
          where exists (select 1 from unnest($1::text[]) s where strpos(r.line, s) > 0) limit 1`,
        [secrets],
      );
      if (hit) found.push(name);
    }
    expect(found).toEqual([]);
  }, 600_000);

  test("pg_net's queue and answers hold at most the dispatch secret", async () => {
    const [dispatch] =
      await sql`select decrypted_secret as secret from vault.decrypted_secrets where name = 'crm_sync_dispatch_secret'`;
    const others = secrets.filter((secret) => secret !== dispatch?.secret);
    for (const table of ["net.http_request_queue", "net._http_response"]) {
      const hits = await sql.unsafe(
        `select 1 from ${table} t where exists (select 1 from unnest($1::text[]) s where strpos(t::text, s) > 0)`,
        [others],
      );
      expect(hits.length, table).toBe(0);
    }
  });

  test("no log file holds one", () => {
    const logs = filesUnder(bench().dataDir).filter((path) => path.endsWith(".log"));
    expect(logs.length).toBeGreaterThan(0);
    const leaky = logs.filter((path) => {
      const text = readFileSync(path, "utf8");
      return secrets.some((secret) => text.includes(secret));
    });
    expect(leaky).toEqual([]);
  });

  test("no answer of the API holds one", async () => {
    const { owner } = world.people;
    const tables = [
      "crm_sync_configs",
      "crm_sync_operations",
      "crm_sync_logs",
      "crm_sync_errors",
      "crm_field_mappings",
      "crm_activities",
    ] as const;
    for (const table of tables) {
      const { data, error } = await owner.from(table).select("*").limit(1000);
      expect(error).toBeNull();
      const text = JSON.stringify(data);
      expect(
        secrets.filter((secret) => text.includes(secret)),
        table,
      ).toEqual([]);
    }
  });
});
