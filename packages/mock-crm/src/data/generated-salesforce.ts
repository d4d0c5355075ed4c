import { makeId } from "../salesforce/ids.ts";
import { STANDARD_STAGES } from "../salesforce/schema/stages.ts";
import type { SalesforceData, Values } from "../salesforce/store.ts";
import { between, createRandom, pick, type Random } from "../shared/random.ts";
import { auditOf } from "./import-times.ts";
import { Companies, People } from "./people.ts";
import { INTEGRATION_USER_ID, stageRows, userRows } from "./salesforce-setup.ts";
import type { Sizes } from "./sizes.ts";

const INDUSTRIES = ["Banking", "Education", "Energy", "Healthcare", "Manufacturing", "Retail", "Technology"];
const AGENTS = ["Ada Moreau", "Ben Okafor", "Chloe Lindqvist", "Dev Raman", "Elif Kaya", "Farid Nasser"];

/** An org of any size, the same for one seed. */
export function generatedOrg(sizes: Sizes, seed: number): SalesforceData {
  const random = createRandom(seed);
  const people = new People(seed, random);
  const companies = new Companies(seed);
  const users = userRows(AGENTS.map((name) => ({ name, manager: null, department: null, title: "Sales Agent" })));
  const owners = [...users.idOf.values()];
  const domains: string[] = [];
  const account = (at: number): Values => {
    const company = companies.next(at);
    domains.push(company.domain);
    return accountRow(company, at, pick(random, owners), random);
  };
  return {
    User: users.rows,
    OpportunityStage: stageRows(STANDARD_STAGES),
    Account: times(sizes.companies, account),
    Contact: times(sizes.contacts, (at) => contactRow(people, domains, at, pick(random, owners))),
    Opportunity: times(sizes.deals, (at) => opportunityRow(sizes, at, pick(random, owners), random)),
  };
}

function times<T>(count: number, make: (at: number) => T): T[] {
  return Array.from({ length: count }, (_none, at) => make(at));
}

function accountRow(company: ReturnType<Companies["next"]>, at: number, ownerId: string, random: Random): Values {
  return {
    Id: makeId("001", at + 1),
    Name: company.name,
    Industry: pick(random, INDUSTRIES),
    AnnualRevenue: between(random, 1, 5000) * 100_000,
    NumberOfEmployees: between(random, 5, 20_000),
    BillingCity: company.city,
    BillingCountry: company.country,
    Website: `https://www.${company.domain}`,
    OwnerId: ownerId,
    ...auditOf(at, INTEGRATION_USER_ID),
  };
}

function contactRow(people: People, domains: readonly string[], at: number, ownerId: string): Values {
  const company = at % Math.max(1, domains.length);
  const person = people.next(domains[company] ?? "people.example");
  return {
    Id: makeId("003", at + 1),
    AccountId: domains.length === 0 ? null : makeId("001", company + 1),
    FirstName: person.firstName,
    LastName: person.lastName,
    Email: person.email,
    Title: person.title,
    Phone: person.phone,
    OwnerId: ownerId,
    ...auditOf(at, INTEGRATION_USER_ID),
  };
}

function opportunityRow(sizes: Sizes, at: number, ownerId: string, random: Random): Values {
  const stage = pick(random, STANDARD_STAGES);
  const company = at % Math.max(1, sizes.companies);
  return {
    Id: makeId("006", at + 1),
    Name: `Deal ${at + 1}`,
    AccountId: sizes.companies === 0 ? null : makeId("001", company + 1),
    StageName: stage.label,
    Amount: between(random, 1, 400) * 500,
    CloseDate: new Date(Date.UTC(2024, 0, 1 + between(random, 0, 900))).toISOString().slice(0, 10),
    OwnerId: ownerId,
    ...auditOf(at, INTEGRATION_USER_ID),
  };
}
