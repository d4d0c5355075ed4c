import { beforeAll } from "vitest";
import { control, openSql } from "./world.ts";

/** So many that a run takes a moment and not half a minute; a file that is about large ones asks for all of them. */
const DEALS = 200;

/** Every file finds both mock CRMs anew, and no run of the file before it still at work. Consents stay. */
beforeAll(async () => {
  const sql = openSql();
  await sql`
    select private.crm_stop_run(o.id, 'The tests of this file are over.')
      from public.crm_sync_operations o where o.status in ('queued', 'running', 'paused')`;
  await sql.end();
  await Promise.all([control("salesforce", "reset", { deals: DEALS }), control("hubspot", "reset", { deals: DEALS })]);
});
