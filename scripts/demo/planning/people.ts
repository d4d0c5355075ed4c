import { readProblem } from "../../lib/oauth-browser.ts";
import type { Client } from "../../lib/people.ts";
import { type Demand, inventDemands, readOpenDeals } from "./deals.ts";
import { csvOf, inventTeam, PROJECTS, SHORT_WEEK, SKILLS, TEAMS } from "./team.ts";

export const TEAM_SEED = 40;

/** The team as an admin would bring it in: lists by hand, people and what they are promised to from files. */
export async function bringInTeam(client: Client, workspaceId: string, from: string): Promise<number> {
  const about = { workspace_id: workspaceId };
  const lists = [
    client.from("teams").insert(TEAMS.map((name) => ({ ...about, name }))),
    client.from("working_calendars").insert({ ...about, ...SHORT_WEEK }),
    client.from("skills").insert(SKILLS.map(({ people: _people, ...skill }) => ({ ...about, ...skill }))),
    client.from("crm_projects").insert(PROJECTS.map((name) => ({ ...about, name, project_status: "in_progress" }))),
  ];
  for (const { error } of await Promise.all(lists)) complain(error, "Could not make the lists");
  const { colleagues, abilities, promises, absences } = inventTeam(from, TEAM_SEED);
  await importFile(client, workspaceId, "employees", colleagues);
  await importFile(client, workspaceId, "skills", abilities);
  await importFile(client, workspaceId, "allocations", promises);
  const people = await client.from("employees").select("id, external_id").eq("workspace_id", workspaceId);
  complain(people.error, "Could not read the people");
  const idOf = new Map((people.data ?? []).map(({ id, external_id }) => [external_id, id]));
  const rows = absences.map(({ employee, ...days }) => ({ ...about, ...days, employee_id: idOf.get(employee) ?? "" }));
  complain((await client.from("employee_time_off").insert(rows)).error, "Could not write the time off");
  return colleagues.length;
}

async function importFile(client: Client, workspace_id: string, kind: string, rows: readonly object[]): Promise<void> {
  const body = { workspace_id, kind, csv: csvOf(rows), dry_run: false };
  const { data, error } = await client.functions.invoke("pipeline-forecast/import", { body });
  if (error) throw new Error(`Could not import ${kind}: ${await readProblem(error)}`, { cause: error });
  const [fault] = (data as { errors: { line: number; message: string }[] }).errors;
  if (fault !== undefined) throw new Error(`Line ${fault.line} of the file of ${kind}: ${fault.message}`);
}

/** Answers how many people-lines the open deals now ask for. */
export async function askForPeople(client: Client, workspaceId: string, from: string): Promise<number> {
  const demands = inventDemands(await readOpenDeals(client, workspaceId), from, TEAM_SEED);
  for (let at = 0; at < demands.length; at += 500) {
    const rows = demands.slice(at, at + 500).map((demand: Demand) => ({ ...demand, workspace_id: workspaceId }));
    complain((await client.from("pipeline_resource_demands").insert(rows)).error, "Could not write the demands");
  }
  return demands.length;
}

function complain(error: { message: string } | null, what: string): void {
  if (error) throw new Error(`${what}: ${error.message}`, { cause: error });
}
