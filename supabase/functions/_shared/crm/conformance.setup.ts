import { createHash, randomBytes } from "node:crypto";
import { type Mock, startHubSpotMock, startSalesforceMock } from "../../../../packages/mock-crm/src/index.ts";
import type { CrmProvider, CrmRecord, CrmSession, EntityType, HighWater, PageCursor, ProviderId } from "./contract.ts";
import { CrmFailure } from "./contract.ts";
import { createProvider } from "./registry.ts";

/** What the conformance suite has to know about a provider beyond the contract: how its mock is started and named. */
export interface Subject {
  id: ProviderId;
  start: (records: number) => Promise<Mock>;
  env: (url: string) => Record<string, string>;
  types: Record<EntityType, string>;
  /** Fields that every contact of the generated data has. */
  nameField: string;
  emailField: string;
  /** A refusal of the next call with status 429 or its like. */
  limitCode: RegExp;
  /** What a new record needs. */
  minimal: Record<EntityType, (name: string) => Record<string, unknown>>;
  titleField: string;
  websiteField: string;
  /** A unique field of contacts that `start` adds. */
  ownIdField: string;
  /** A value that no contact may have, and how the refusal is called. */
  invalid: { fields: Record<string, unknown>; code: string; field: string };
  /** An opportunity's contact is chosen once and for all. */
  fixedContact: boolean;
  /** A record without an owner does not exist. */
  alwaysOwned: boolean;
  /** Its answers to writes name the time. */
  saysWhen: boolean;
  /** The industry of a company, and whether only the options are taken. */
  industry: { field: string; restricted: boolean };
  /** What a refusal for want of a permission says. */
  forbidden: RegExp;
}

const CLIENT_ID = "pipeline-crm-local";
export const SECRET = "local-only-secret";
export const REDIRECT = "http://127.0.0.1:3999/callback";

const OWN_ID = {
  object: "Contact",
  name: "Pipeline_Id__c",
  label: "Pipeline Id",
  type: "string",
  length: 36,
  unique: true,
  externalId: true,
} as const;

async function addHubSpotProperty(mock: Mock): Promise<void> {
  const response = await fetch(`${mock.url}/crm/v3/properties/contacts`, {
    method: "POST",
    headers: { authorization: `Bearer ${mock.control.issueToken().token}`, "content-type": "application/json" },
    body: JSON.stringify({
      name: "pipeline_id",
      label: "Pipeline Id",
      groupName: "contactinformation",
      type: "string",
      fieldType: "text",
      hasUniqueValue: true,
    }),
  });
  if (response.status !== 201) throw new Error(`The property was not added: ${await response.text()}`);
}

export const SUBJECTS: readonly Subject[] = [
  {
    id: "salesforce",
    start: (records) => startSalesforceMock({ data: "generated", records, seed: 7, extraFields: [OWN_ID] }),
    env: (url) => ({ SALESFORCE_CLIENT_ID: CLIENT_ID, SALESFORCE_LOGIN_URL: url }),
    types: { accounts: "Account", contacts: "Contact", opportunities: "Opportunity" },
    nameField: "LastName",
    emailField: "Email",
    limitCode: /concurrent_requests/,
    minimal: {
      accounts: (name) => ({ Name: name }),
      contacts: (name) => ({ LastName: name }),
      opportunities: (name) => ({ Name: name, CloseDate: "2027-01-31" }),
    },
    titleField: "Title",
    websiteField: "Website",
    ownIdField: OWN_ID.name,
    invalid: { fields: { LastName: "x".repeat(81) }, code: "STRING_TOO_LONG", field: "LastName" },
    fixedContact: true,
    alwaysOwned: true,
    saysWhen: false,
    industry: { field: "Industry", restricted: false },
    forbidden: /may not do this .*Contact/,
  },
  {
    id: "hubspot",
    start: async (records) => {
      const mock = await startHubSpotMock({ data: "generated", records, seed: 7 });
      await addHubSpotProperty(mock);
      return mock;
    },
    env: (url) => ({
      HUBSPOT_CLIENT_ID: CLIENT_ID,
      HUBSPOT_AUTHORIZE_URL: `${url}/oauth/authorize`,
      HUBSPOT_API_URL: url,
    }),
    types: { accounts: "companies", contacts: "contacts", opportunities: "deals" },
    nameField: "lastname",
    emailField: "email",
    limitCode: /secondly/,
    minimal: {
      accounts: (name) => ({ name }),
      contacts: (name) => ({ lastname: name }),
      opportunities: (name) => ({ dealname: name, closedate: "2027-01-31T00:00:00Z" }),
    },
    titleField: "jobtitle",
    websiteField: "domain",
    ownIdField: "pipeline_id",
    invalid: { fields: { lifecyclestage: "no such stage" }, code: "INVALID_OPTION", field: "lifecyclestage" },
    fixedContact: false,
    alwaysOwned: false,
    saysWhen: true,
    industry: { field: "industry", restricted: true },
    forbidden: /crm\.objects\.contacts\.write/,
  },
];

export function providerFor(subject: Subject, mock: Mock, fetcher: typeof fetch = fetch): CrmProvider {
  return createProvider(subject.id, {
    fetch: fetcher,
    env: subject.env(mock.url),
    now: () => new Date(),
    sleep: () => Promise.resolve(),
  });
}

export function sessionOf(mock: Mock): CrmSession {
  return { accessToken: mock.control.issueToken().token, instanceUrl: mock.url, externalAccountId: "conformance" };
}

/** Goes through the consent page as a browser would; the mock consents by itself. */
export async function consent(provider: CrmProvider, redirectUri = REDIRECT) {
  const codeVerifier = randomBytes(48).toString("base64url");
  const codeChallenge = createHash("sha256").update(codeVerifier).digest("base64url");
  const url = provider.authorizeUrl({ state: "the-state", codeChallenge, redirectUri, environment: "production" });
  const response = await fetch(url, { redirect: "manual" });
  const answer = Object.fromEntries(new URL(response.headers.get("location") ?? "http://none").searchParams);
  return {
    answer,
    exchange: {
      code: answer.code ?? "",
      codeVerifier,
      redirectUri,
      clientSecret: SECRET,
      environment: "production" as const,
    },
  };
}

export interface Pass {
  records: CrmRecord[];
  highWater: HighWater | null;
  pages: number;
}

export interface PassOptions {
  entity: EntityType;
  fields: readonly string[];
  since?: HighWater | null;
  again?: boolean;
  pageSize?: number;
  /** Which provider reads the next page: a new one each time stands for a worker that was replaced. */
  reader: () => CrmProvider;
  betweenPages?: (page: number) => void;
}

/** Reads to the end as the sync does: the cursor is kept as JSON, and a passing fault repeats its page. */
export async function readThrough(session: CrmSession, options: PassOptions): Promise<Pass> {
  const { entity, fields, since = null, again, pageSize } = options;
  const pass: Pass = { records: [], highWater: null, pages: 0 };
  let kept = "null";
  do {
    const cursor = JSON.parse(kept) as PageCursor | null;
    const request = { entity, fields, cursor, since, again, pageSize };
    const page = await repeated(() => options.reader().readPage(session, request));
    pass.records.push(...page.records);
    pass.highWater = page.highWater;
    pass.pages += 1;
    kept = JSON.stringify(page.next);
    options.betweenPages?.(pass.pages);
  } while (kept !== "null");
  return pass;
}

async function repeated<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (attempt >= 10 || !(error instanceof CrmFailure) || error.detail.kind !== "transient") throw error;
    }
  }
}
