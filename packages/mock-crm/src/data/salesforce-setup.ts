import { makeId } from "../salesforce/ids.ts";
import type { StageDef } from "../salesforce/schema/stages.ts";
import type { Values } from "../salesforce/store.ts";
import { mailName } from "../shared/text.ts";
import { auditOf } from "./import-times.ts";

/** The person who connects the app; always the org's first user. */
export const INTEGRATION_USER_ID = makeId("005", 1);

export interface UserSource {
  name: string;
  manager: string | null;
  department: string | null;
  title: string;
}

export function userRows(people: readonly UserSource[]): { rows: Values[]; idOf: ReadonlyMap<string, string> } {
  const idOf = new Map(people.map((person, at) => [person.name, makeId("005", at + 2)]));
  const integration = { name: "Pipeline Integration", manager: null, department: null, title: "Integration User" };
  const rows = [integration, ...people].map((person, at) => userRow(person, at, idOf));
  return { rows, idOf };
}

function userRow(person: UserSource, at: number, idOf: ReadonlyMap<string, string>): Values {
  const [firstName = "", ...rest] = person.name.split(" ");
  const lastName = rest.join(" ");
  const email = `${mailName(firstName)}.${mailName(lastName)}@salesteam.example`;
  return {
    Id: makeId("005", at + 1),
    Username: email,
    FirstName: firstName,
    LastName: lastName,
    Name: person.name,
    Title: person.title,
    Department: person.department,
    Email: email,
    IsActive: true,
    UserType: "Standard",
    ManagerId: idOf.get(person.manager ?? "") ?? null,
    ...auditOf(0, INTEGRATION_USER_ID),
  };
}

export function stageRows(stages: readonly StageDef[]): Values[] {
  return stages.map((stage, at) => ({
    Id: makeId("01J", at + 1),
    MasterLabel: stage.label,
    ApiName: stage.label,
    IsActive: true,
    SortOrder: at + 1,
    IsClosed: stage.closed,
    IsWon: stage.won,
    ForecastCategory: stage.forecast,
    ForecastCategoryName: stage.forecast,
    DefaultProbability: stage.probability,
    ...auditOf(0, INTEGRATION_USER_ID),
  }));
}
