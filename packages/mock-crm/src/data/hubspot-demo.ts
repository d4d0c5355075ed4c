import type { HubRecord } from "../hubspot/record.ts";
import { DEAL_STAGES, DEFAULT_PIPELINE } from "../hubspot/schema/pipelines.ts";
import type { HubSpotData } from "../hubspot/store.ts";
import { between, createRandom, pick, type Random } from "../shared/random.ts";
import { hubId, hubRecord, OWNERS } from "./hubspot-records.ts";
import { type MavenContact, mavenContacts, mavenDomain } from "./maven.ts";
import type { MavenFiles } from "./maven-files.ts";
import { Companies, People, phoneNumber } from "./people.ts";

const SHARED_COMPANIES = 40;
const COMPANIES = 120;
const SHARED_CONTACTS = 60;
const CONTACTS = 300;
const DEALS = 150;
const INDUSTRIES = ["BANKING", "COMPUTER_SOFTWARE", "CONSULTING", "INTERNET", "RETAIL", "TELECOMMUNICATIONS"];
const LIFECYCLES = ["lead", "opportunity", "customer"];

/** The account whose domain two HubSpot companies claim: which one is it? Nobody should guess. */
const DOUBLED_COMPANY = 7;

interface Source {
  random: Random;
  files: MavenFiles;
  salesforceContacts: MavenContact[];
  people: People;
}

type Values = Readonly<Record<string, string | null>>;

/**
 * A HubSpot account of the same firm that keeps the Maven data in Salesforce: forty of its companies and sixty of its
 * people are the same by domain or e-mail, the others are its own, and each ambiguity a sync must not guess at is there.
 */
export function hubspotDemo(files: MavenFiles, seed: number): HubSpotData {
  const random = createRandom(seed + 100);
  const source: Source = {
    random,
    files,
    salesforceContacts: mavenContacts(files, seed),
    people: new People(seed + 100, random),
  };
  const companies = companyValues(source, seed).map((values, at) => hubRecord("companies", at, values));
  const contacts = contactValues(source, companies).map((values, at) => hubRecord("contacts", at, values));
  const deals = Array.from({ length: DEALS }, (_none, at) => hubRecord("deals", at, dealValues(source, companies, at)));
  return {
    owners: OWNERS,
    records: { companies, contacts, deals },
    ties: [...contactTies(contacts, companies), ...dealTies()],
  };
}

function companyValues(source: Source, seed: number): Values[] {
  const { random, files } = source;
  const own = new Companies(seed + 100);
  const shared = files.accounts.slice(0, SHARED_COMPANIES - 1).map(({ account }, at) => ({
    name: at % 5 === 0 ? `${account} Inc.` : account,
    domain: mavenDomain(account),
  }));
  const [doubled] = files.accounts.slice(DOUBLED_COMPANY);
  const ambiguous =
    doubled === undefined ? [] : [{ name: `${doubled.account} (Europe)`, domain: mavenDomain(doubled.account) }];
  const others = Array.from({ length: COMPANIES - SHARED_COMPANIES }, (_none, at) => {
    const { name, domain } = own.next(at);
    // One company without any domain: it can only be matched by hand.
    return { name, domain: at === 0 ? null : domain };
  });
  return [...shared, ...ambiguous, ...others].map((company, at) => ({
    ...company,
    website: company.domain === null ? null : pasted(company.domain, at),
    industry: pick(random, INDUSTRIES),
    numberofemployees: String(between(random, 5, 9000)),
    annualrevenue: String(between(random, 1, 900) * 100_000),
    phone: phoneNumber(random),
    lifecyclestage: pick(random, LIFECYCLES),
    hubspot_owner_id: pick(random, OWNERS).id,
  }));
}

/** A web address as people paste it: the same host once it is normalised. */
function pasted(domain: string, at: number): string {
  return at % 4 === 0 ? `HTTP://WWW.${domain.toUpperCase()}/` : `https://www.${domain}`;
}

function contactValues(source: Source, companies: readonly HubRecord[]): Values[] {
  const { random, people } = source;
  const shared = sharedPeople(source).map((person) => contact(random, person));
  const own = Array.from({ length: CONTACTS - SHARED_CONTACTS }, (_none, at) => {
    const domain = companies[companyOf(SHARED_CONTACTS + at)]?.properties.domain ?? "people.example";
    const values = contact(random, people.next(domain));
    return { ...values, ...ODD_CONTACTS[at] };
  });
  return [...shared, ...own];
}

/** Half-filled people, as forms leave them behind. */
const ODD_CONTACTS: Readonly<Record<number, Values>> = {
  0: { lastname: null },
  1: { firstname: null, lastname: null },
  2: { firstname: null, email: null },
  3: { phone: "call the front desk" },
};

/** One of them shares a mailbox with a second person in Salesforce: an e-mail that is not unique on both sides. */
function sharedPeople({ salesforceContacts }: Source): MavenContact[] {
  const addresses = salesforceContacts.map((person) => person.email);
  const doubled = salesforceContacts.find((person, at) => addresses.indexOf(person.email) < at);
  const others = salesforceContacts.filter((person) => person.email !== doubled?.email);
  return [...(doubled === undefined ? [] : [doubled]), ...others].slice(0, SHARED_CONTACTS);
}

function contact(
  random: Random,
  person: Pick<MavenContact, "firstName" | "lastName" | "email" | "title" | "phone">,
): Values {
  return {
    firstname: person.firstName,
    lastname: person.lastName,
    email: person.email,
    jobtitle: person.title,
    phone: person.phone,
    lifecyclestage: pick(random, LIFECYCLES),
    hubspot_owner_id: pick(random, OWNERS).id,
  };
}

function dealValues({ random }: Source, companies: readonly HubRecord[], at: number): Values {
  const stage = DEAL_STAGES[at % DEAL_STAGES.length] ?? pick(random, DEAL_STAGES);
  const company = companies[companyOf(at)]?.properties.name ?? "No company";
  const closes = new Date(Date.UTC(2024, 5, 1 + between(random, 0, 365)));
  return {
    dealname: `${company} – renewal ${at + 1}`,
    dealstage: stage.id,
    pipeline: DEFAULT_PIPELINE,
    amount: at === 1 ? null : String(between(random, 2, 400) * 250),
    closedate: stage.closed || at % 3 === 0 ? closes.toISOString() : null,
    dealtype: pick(random, ["newbusiness", "existingbusiness"]),
    hs_priority: pick(random, ["low", "medium", "high"]),
    hubspot_owner_id: pick(random, OWNERS).id,
  };
}

function companyOf(at: number): number {
  return at % COMPANIES;
}

/** Each contact at the company of their mail domain, but every twentieth stands alone. */
function contactTies(contacts: readonly HubRecord[], companies: readonly HubRecord[]): HubSpotData["ties"] {
  const domains = companies.map((company) => company.properties.domain);
  return contacts
    .filter((_contact, at) => at % 20 !== 19)
    .map((person, at) => {
      const company = domains.indexOf(person.properties.email?.split("@")[1]);
      const companyId = hubId("companies", company === -1 ? companyOf(at) : company);
      return ["contacts", person.id, "companies", companyId] as const;
    });
}

/** The third deal belongs to no company. */
function dealTies(): HubSpotData["ties"] {
  return Array.from({ length: DEALS }, (_none, at) => at)
    .filter((at) => at !== 2)
    .flatMap((at) => [
      ["deals", hubId("deals", at), "companies", hubId("companies", companyOf(at))] as const,
      ["deals", hubId("deals", at), "contacts", hubId("contacts", at)] as const,
    ]);
}
