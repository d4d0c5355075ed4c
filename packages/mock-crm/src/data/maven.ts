import { makeId } from "../salesforce/ids.ts";
import { MAVEN_STAGES } from "../salesforce/schema/stages.ts";
import type { SalesforceData, Values } from "../salesforce/store.ts";
import { between, createRandom } from "../shared/random.ts";
import { slug } from "../shared/text.ts";
import { auditOf } from "./import-times.ts";
import type { MavenFiles } from "./maven-files.ts";
import { People, type Person } from "./people.ts";
import { INTEGRATION_USER_ID, stageRows, type UserSource, userRows } from "./salesforce-setup.ts";

const MILLION = 1_000_000;
/** The account where two people share one mailbox: a CRM allows it, and a sync must not guess which is which. */
const SHARED_MAILBOX_ACCOUNT = 10;

export interface MavenContact extends Person {
  account: string;
}

/** The Maven files as a Salesforce org: values as they are in the files, contacts invented. */
export function mavenOrg(files: MavenFiles, seed: number): SalesforceData {
  const users = userRows(mavenUsers(files));
  const accountId = new Map(files.accounts.map(({ account }, at) => [account, makeId("001", at + 1)]));
  const owners = [...users.idOf.values()];
  return {
    User: users.rows,
    OpportunityStage: stageRows(MAVEN_STAGES),
    Account: files.accounts.map((row, at) => accountRow(row, at, accountId, owners)),
    Contact: mavenContacts(files, seed).map((contact, at) => contactRow(contact, at, accountId, owners)),
    Opportunity: files.pipeline.map((row, at) => opportunityRow(row, at, accountId, users.idOf)),
  };
}

export function mavenDomain(account: string): string {
  return `${slug(account)}.example`;
}

/** Two to four people at each account. */
export function mavenContacts(files: MavenFiles, seed: number): MavenContact[] {
  const random = createRandom(seed);
  const people = new People(seed, random);
  return files.accounts.flatMap(({ account }, at) => {
    const count = between(random, 2, 4);
    const contacts = Array.from({ length: count }, () => ({ ...people.next(mavenDomain(account)), account }));
    const [first, second] = contacts;
    if (at === SHARED_MAILBOX_ACCOUNT && first !== undefined && second !== undefined) second.email = first.email;
    return contacts;
  });
}

function mavenUsers(files: MavenFiles): UserSource[] {
  const managers = [...new Set(files.teams.map((team) => team.manager))];
  return [
    ...managers.map((name) => ({ name, manager: null, department: null, title: "Sales Manager" })),
    ...files.teams.map((team) => ({
      name: team.sales_agent,
      manager: team.manager,
      department: team.regional_office,
      title: "Sales Agent",
    })),
  ];
}

function accountRow(
  row: MavenFiles["accounts"][number],
  at: number,
  accountId: ReadonlyMap<string, string>,
  owners: readonly string[],
): Values {
  return {
    Id: makeId("001", at + 1),
    Name: row.account,
    Industry: row.sector,
    AnnualRevenue: Math.round(Number(row.revenue) * MILLION),
    NumberOfEmployees: Number(row.employees),
    YearStarted: row.year_established,
    BillingCountry: row.office_location,
    ParentId: accountId.get(row.subsidiary_of) ?? null,
    Website: `https://www.${mavenDomain(row.account)}`,
    OwnerId: owners[at % owners.length] ?? INTEGRATION_USER_ID,
    ...auditOf(at, INTEGRATION_USER_ID),
  };
}

function contactRow(
  contact: MavenContact,
  at: number,
  accountId: ReadonlyMap<string, string>,
  owners: readonly string[],
): Values {
  return {
    Id: makeId("003", at + 1),
    AccountId: accountId.get(contact.account) ?? null,
    FirstName: contact.firstName,
    LastName: contact.lastName,
    Email: contact.email,
    Title: contact.title,
    Phone: contact.phone,
    OwnerId: owners[at % owners.length] ?? INTEGRATION_USER_ID,
    ...auditOf(at, INTEGRATION_USER_ID),
  };
}

function opportunityRow(
  row: MavenFiles["pipeline"][number],
  at: number,
  accountId: ReadonlyMap<string, string>,
  agentId: ReadonlyMap<string, string>,
): Values {
  return {
    Id: makeId("006", at + 1),
    Name: `${row.product} – ${row.account || "No account"} – ${row.opportunity_id}`,
    StageName: row.deal_stage,
    Amount: row.close_value === "" ? null : Number(row.close_value),
    CloseDate: row.close_date || null,
    AccountId: accountId.get(row.account) ?? null,
    Product__c: row.product,
    Engage_Date__c: row.engage_date || null,
    Maven_Id__c: row.opportunity_id,
    OwnerId: agentId.get(row.sales_agent) ?? INTEGRATION_USER_ID,
    ...auditOf(at, INTEGRATION_USER_ID),
  };
}
