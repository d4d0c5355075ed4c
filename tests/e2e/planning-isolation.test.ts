import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forecastRoutes } from "../../supabase/functions/_shared/forecast/routes.ts";
import { bench } from "../support/bench.ts";
import { askForecast } from "../support/forecast.ts";
import { newWorld, openSql, type World } from "../support/world.ts";

/** pipeline-forecast between two workspaces: an id of the other one is an id that there is not, in every field of every route. */

const sql = openSql();
afterAll(() => sql.end());

let ours: World;
let theirs: World;
let own: Ids;
let strange: Ids;

interface Ids {
  workspace: string;
  deal: string;
  scenario: string;
  demand: string;
}

async function furnish({ workspaceId, people }: World): Promise<Ids> {
  await people.admin.from("skills").insert({ workspace_id: workspaceId, key: "react", label: "React" });
  const { data: deal } = await people.member.rpc("create_pipeline_project", {
    workspace_id: workspaceId,
    project: { name: "Secret deal", stage: "proposal", estimated_value: 10, expected_close_date: "2026-12-01" },
    resource_demand: [{ skill_category: "react", start_date: "2026-12-01", end_date: "2026-12-31" }],
  });
  const { data: scenario } = await people.member.rpc("create_scenario_from_pipeline", {
    workspace_id: workspaceId,
    name: "Secret scenario",
  });
  const { data: demand } = await people.member.from("pipeline_resource_demands").select("id").single();
  return {
    workspace: workspaceId,
    deal: deal?.id ?? "",
    scenario: scenario?.id ?? "",
    demand: demand?.id ?? "",
  };
}

beforeAll(async () => {
  [ours, theirs] = [await newWorld(), await newWorld()];
  [own, strange] = [await furnish(ours), await furnish(theirs)];
});

/** Each route with a body that names what there is to name. */
const BODIES: Record<string, (ids: Ids) => object> = {
  forecast: ({ workspace, deal, scenario }) => ({
    workspace_id: workspace,
    pipeline_project_ids: [deal],
    scenario_id: scenario,
  }),
  "what-if": ({ workspace, deal, scenario }) => ({
    workspace_id: workspace,
    pipeline_project_ids: [deal],
    scenario_ids: [scenario],
  }),
  "resource-forecast": ({ workspace }) => ({ workspace_id: workspace, forecast_months: 1 }),
  availability: ({ workspace, deal }) => ({ workspace_id: workspace, pipeline_project_ids: [deal] }),
  candidates: ({ demand }) => ({ demand_id: demand }),
  import: ({ workspace }) => ({ workspace_id: workspace, kind: "employees", csv: "name,external_id\nX,1\n" }),
};
const ROUTES = Object.keys(BODIES);
const nobody = (): Ids => ({
  workspace: randomUUID(),
  deal: randomUUID(),
  scenario: randomUUID(),
  demand: randomUUID(),
});

const UUID = /[0-9a-f]{8}-[0-9a-f-]{27}/g;
/** Status and words, without ids. */
async function answer(route: string, ids: Ids): Promise<[number, string]> {
  const { status, body } = await askForecast(ours.people.owner, route, BODIES[route]?.(ids) ?? {});
  return [status, JSON.stringify(body).replace(UUID, "<id>")];
}

describe("an id of another workspace", () => {
  test("is tried on every route but the worker's", () => {
    const nothing = {} as Parameters<typeof forecastRoutes>[0];
    expect(
      forecastRoutes(nothing)
        .map(({ path }) => path.slice(1))
        .sort(),
    ).toEqual([...ROUTES, "work"].sort());
  });

  test.each(ROUTES)("%s: a stranger's question is answered as one about nothing", async (route) => {
    const [status, words] = await answer(route, strange);
    expect([status, words]).toEqual(await answer(route, nobody()));
    expect(status).toBe(404);
    expect(words).not.toContain("Secret");
  });

  test.each(ROUTES)("%s: one's own is answered", async (route) => {
    expect((await answer(route, own))[0]).toBe(200);
  });

  test.each([
    ["forecast", "deal"],
    ["forecast", "scenario"],
    ["what-if", "deal"],
    ["what-if", "scenario"],
    ["availability", "deal"],
    ["candidates", "demand"],
  ] as const)("%s: theirs among one's own is one that there is not: the %s", async (route, field) => {
    const [status, words] = await answer(route, { ...own, [field]: strange[field] });
    expect([status, words]).toEqual(await answer(route, { ...own, [field]: randomUUID() }));
    expect(status).toBe(404);
  });
});

describe("who is nobody", () => {
  test.each([...ROUTES, "work"])("%s asks who calls", async (route) => {
    const response = await fetch(`${bench().apiUrl}/functions/v1/pipeline-forecast/${route}`, {
      method: "POST",
      headers: { "content-type": "application/json", apikey: bench().publishableKey },
      body: JSON.stringify(BODIES[route]?.(own) ?? { run_id: randomUUID() }),
    });
    expect(response.status).toBe(401);
  });

  test("nothing of theirs was calculated, scored or written meanwhile", async () => {
    const [left] = await sql`
      select (select count(*)::int from pipeline_forecast_runs where workspace_id = ${theirs.workspaceId}) as runs,
        (select count(*)::int from employees where workspace_id = ${theirs.workspaceId}) as people`;
    expect(left).toEqual({ runs: 0, people: 0 });
  });
});
