import { beforeAll } from "vitest";
import { control, openSql } from "./world.ts";

/** Every file finds both mock CRMs as they were started, and no run of the file before it still at work. Consents stay. */
beforeAll(async () => {
  const sql = openSql();
  await sql`
    select private.crm_stop_run(o.id, 'The tests of this file are over.')
      from public.crm_sync_operations o where o.status in ('queued', 'running', 'paused')`;
  await sql.end();
  await Promise.all([control("salesforce", "reset", {}), control("hubspot", "reset", {})]);
});
