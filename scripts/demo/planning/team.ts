import { base, de, en, Faker } from "@faker-js/faker";

export const TEAM_SIZE = 40;

export interface Skill {
  key: string;
  label: string;
  category: string;
  /** Of the team's people. */
  people: number;
}

export const SKILLS: readonly Skill[] = [
  { key: "installation", label: "Installation", category: "field", people: 12 },
  { key: "network", label: "Network engineering", category: "engineering", people: 9 },
  { key: "integration", label: "Software integration", category: "engineering", people: 7 },
  { key: "storage", label: "Storage engineering", category: "engineering", people: 4 },
  { key: "training", label: "Training", category: "field", people: 4 },
  { key: "project_management", label: "Project management", category: "office", people: 4 },
];

export const TEAMS = ["Central", "East", "West"] as const;
/** Part-time on some days is a calendar of its own. */
export const SHORT_WEEK = { name: "Mon–Thu 8 h", hours: [8, 8, 8, 8, 0, 0, 0] };
export const PROJECTS = ["Rollout North", "Data centre Lyon", "Branch offices", "Warehouse network", "Care contracts"];

export interface Colleague {
  external_id: string;
  name: string;
  email: string;
  title: string;
  team: string;
  calendar: string;
  fte: number;
  employed_from: string;
}

export interface Ability {
  employee: string;
  skill: string;
  level: string;
  years: number;
  is_primary: string;
}

export interface Promise {
  employee: string;
  project: string;
  start_date: string;
  end_date: string;
  percentage: number;
  status: string;
}

export interface Absence {
  employee: string;
  start_date: string;
  end_date: string;
  kind: string;
}

export interface InventedTeam {
  colleagues: Colleague[];
  abilities: Ability[];
  promises: Promise[];
  absences: Absence[];
}

const LEVELS = ["junior", "mid", "mid", "senior", "senior", "lead"];

export function dayAfter(day: string, days: number): string {
  return new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10);
}

/** Forty people who exist nowhere, the same for the same seed and day. */
export function inventTeam(from: string, seed: number): InventedTeam {
  const faker = new Faker({ locale: [en, de, base] });
  faker.seed(seed);
  const primary = SKILLS.flatMap(({ key, people }) => Array.from({ length: people }, () => key));
  const team: InventedTeam = { colleagues: [], abilities: [], promises: [], absences: [] };
  for (const [at, skill] of primary.entries())
    addPerson(team, faker, `E${String(at + 1).padStart(3, "0")}`, skill, from);
  return team;
}

function addPerson(team: InventedTeam, faker: Faker, id: string, skill: string, from: string): void {
  const [firstName, lastName] = [faker.person.firstName(), faker.person.lastName()];
  const level = faker.helpers.arrayElement(LEVELS);
  team.colleagues.push({
    external_id: id,
    name: `${firstName} ${lastName}`,
    email: `${id.toLowerCase()}@demo.example`,
    title: SKILLS.find(({ key }) => key === skill)?.label ?? skill,
    team: faker.helpers.arrayElement(TEAMS),
    calendar: faker.datatype.boolean(0.15) ? SHORT_WEEK.name : "",
    fte: faker.helpers.arrayElement([1, 1, 1, 1, 0.8, 0.5]),
    employed_from: dayAfter(from, -faker.number.int({ min: 200, max: 3_000 })),
  });
  team.abilities.push({ employee: id, skill, level, years: faker.number.int({ min: 1, max: 15 }), is_primary: "yes" });
  const other = faker.helpers.arrayElement(SKILLS.filter(({ key }) => key !== skill)).key;
  if (faker.datatype.boolean(0.5))
    team.abilities.push({ employee: id, skill: other, level: "junior", years: 1, is_primary: "no" });
  addTime(team, faker, id, from);
}

function addTime(team: InventedTeam, faker: Faker, id: string, from: string): void {
  const busyUntil = dayAfter(from, faker.number.int({ min: 20, max: 120 }));
  const percentage = faker.helpers.arrayElement([0, 30, 40, 50, 60, 80, 100]);
  const project = faker.helpers.arrayElement(PROJECTS);
  if (percentage > 0)
    team.promises.push({ employee: id, project, start_date: from, end_date: busyUntil, percentage, status: "firm" });
  const leave = dayAfter(from, faker.number.int({ min: 0, max: 120 }));
  const days = faker.helpers.arrayElement([4, 6, 13]);
  team.absences.push({ employee: id, start_date: leave, end_date: dayAfter(leave, days), kind: "vacation" });
}

/** Rows as a CSV file, each cell in quotes. */
export function csvOf(rows: readonly object[]): string {
  const [first] = rows;
  if (first === undefined) return "";
  const line = (cells: readonly unknown[]) => cells.map((cell) => `"${String(cell).replaceAll('"', '""')}"`).join(",");
  return [line(Object.keys(first)), ...rows.map((row) => line(Object.values(row)))].join("\n");
}
