import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { functionPid } from "../support/two-way.ts";
import { connect, control, newWorld, openSql, passTimeAfterDeath, sync, type World } from "../support/world.ts";

describe("a function process that dies in the middle of a run", () => {
  const sql = openSql();
  let world: World;

  beforeAll(async () => {
    world = await newWorld();
    await control("salesforce", "reset", {});
    await control("salesforce", "knobs", { latencyMs: 60 });
  });
  afterAll(async () => {
    await control("salesforce", "knobs", { latencyMs: 0 });
    await sql.end();
  });

  test("the next slice finishes the work: nothing double, nothing lost", async () => {
    const config = await connect(world, "salesforce");
    let killed = false;
    let recovery = Promise.resolve();
    const operation = await sync(world, config, ({ id, progress }) => {
      const done = progress?.entities?.opportunities?.done ?? 0;
      if (killed || done === 0 || done >= 8800) return;
      killed = true;
      process.kill(functionPid("crm-sync"), "SIGKILL");
      recovery = passTimeAfterDeath(sql, id);
    });
    await recovery;
    expect(killed).toBe(true);
    expect(operation.status).toBe("completed");
    const [rows] = await sql`
      select count(*)::int as n, count(distinct crm_id)::int as ids from public.pipeline_projects where workspace_id = ${world.workspaceId}`;
    expect(rows).toEqual({ n: 8800, ids: 8800 });
    const [state] =
      await sql`select fence::int, slice::int from private.crm_operation_state where operation_id = ${operation.id}`;
    expect(state?.fence).toBeGreaterThanOrEqual(2);
  });
});
