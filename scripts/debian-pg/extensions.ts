import { databaseUrl } from "@pipeline-crm/local-stack";
import postgres from "postgres";

/**
 * On a hosted project `create extension` by postgres is carried out as the superuser, followed by these grants. Here the
 * superuser does both beforehand, and the migrations' `create extension if not exists` finds it done.
 */
const AS_ON_HOSTED = `
create extension pg_cron with schema pg_catalog;
grant usage on schema cron to postgres with grant option;
grant all on all functions in schema cron to postgres with grant option;
revoke all on cron.job from postgres;
grant select on cron.job to postgres with grant option;
grant select, insert, update, delete, truncate, references on cron.job_run_details to postgres with grant option;
create extension plpgsql_check with schema extensions;
create extension pgtap with schema extensions;
`;

/** Creates the real extensions and tells what is there, as "name version". */
export async function createExtensions(port: number): Promise<string[]> {
  const sql = postgres(databaseUrl("supabase_admin", port), { max: 1, onnotice: () => {} });
  try {
    await sql.begin((tx) => tx.unsafe(AS_ON_HOSTED));
    const rows = await sql<{ part: string }[]>`
      select 'PostgreSQL ' || current_setting('server_version') as part
      union all
      select extname || ' ' || extversion from pg_extension where extname in ('pg_cron', 'plpgsql_check', 'pgtap')`;
    return rows.map((row) => row.part);
  } finally {
    await sql.end();
  }
}
