import { createHash, randomBytes, randomUUID } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Stack, startStack } from "@pipeline-crm/local-stack";
import postgres, { type Sql } from "postgres";
import { type Mock, startHubSpotMock, startSalesforceMock } from "../../../packages/mock-crm/src/index.ts";
import { LOCAL_CRM_CLIENT } from "../../../scripts/lib/crm-env.ts";
import { onFreePorts } from "../../../scripts/lib/ports.ts";
import { storeSecrets } from "../../../scripts/lib/vault.ts";
import { PROJECT_ROOT } from "../../../scripts/lib/workbench.ts";
import { type CrmProvider, type CrmSession, ENTITY_TYPES } from "../../../supabase/functions/_shared/crm/contract.ts";
import { createProvider } from "../../../supabase/functions/_shared/crm/registry.ts";
import { openDb } from "../../../supabase/functions/_shared/db/connect.ts";
import { connect, type NewMapping, type NewStage } from "../../../supabase/functions/_shared/db/sql/connections.ts";
import type { OwnerRow } from "../../../supabase/functions/_shared/db/sql/merge.ts";
import type { Db } from "../../../supabase/functions/_shared/db/types.ts";
import { defaultMappings, defaultStageMap } from "../../../supabase/functions/_shared/sync/defaults/index.ts";
import type { CrmName } from "./fields.ts";

/** A place in the database, and both CRMs in this process. Used for one history after the other. */
export interface Bed {
  db: Db;
  sql: Sql;
  mocks: Record<CrmName, Mock>;
  /** Made once, as in a function process: they remember for a while which fields an account has. */
  providers: Record<CrmName, CrmProvider>;
  proposals: Record<CrmName, Promise<Proposal> | null>;
}

/** What a new connection begins with. The accounts of all histories are alike, so it is asked for once. */
interface Proposal {
  mappings: NewMapping[];
  stages: NewStage[];
  owners: OwnerRow[];
}

/** A database with the migrations, for any number of beds. */
export interface Ground {
  dbUrl: string;
  stop(): Promise<void>;
}

/** Beds beside one another in one database: histories that are played at the same time do not meet. */
export interface Beds {
  all: readonly Bed[];
  close(): Promise<void>;
}

const REDIRECT = "http://127.0.0.1:3999/callback";
const EMPTY = { data: "generated", companies: 0, contacts: 0, deals: 0 } as const;

export async function startGround(firstPort: number): Promise<Ground> {
  const dataDir = await mkdtemp(join(tmpdir(), "pipeline-crm-convergence-"));
  // Run by root, the database server is another user, who must be able to get in.
  await chmod(dataDir, 0o755);
  const stack: Stack = await onFreePorts(firstPort, (portBase) =>
    startStack({ projectRoot: PROJECT_ROOT, dataDir, portBase }),
  );
  await storeSecrets(stack.dbUrl, {
    crm_salesforce_client_secret: LOCAL_CRM_CLIENT.secret,
    crm_hubspot_client_secret: LOCAL_CRM_CLIENT.secret,
    // Nobody listens there: the worker of these tests is called by hand.
    project_url: "http://127.0.0.1:9",
  });
  return {
    dbUrl: stack.dbUrl,
    async stop() {
      await stack.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export async function openBeds(dbUrl: string, count: number): Promise<Beds> {
  const proposals: Bed["proposals"] = { salesforce: null, hubspot: null };
  const all = await Promise.all(Array.from({ length: count }, () => openBed(dbUrl, proposals)));
  return {
    all,
    async close() {
      await Promise.all(all.map(closeBed));
    },
  };
}

async function openBed(dbUrl: string, proposals: Bed["proposals"]): Promise<Bed> {
  const [salesforce, hubspot] = await Promise.all([startSalesforceMock(EMPTY), startHubSpotMock(EMPTY)]);
  const env = {
    SALESFORCE_CLIENT_ID: LOCAL_CRM_CLIENT.id,
    SALESFORCE_LOGIN_URL: salesforce.url,
    HUBSPOT_CLIENT_ID: LOCAL_CRM_CLIENT.id,
    HUBSPOT_AUTHORIZE_URL: `${hubspot.url}/oauth/authorize`,
    HUBSPOT_API_URL: hubspot.url,
    HUBSPOT_SEARCH_SETTLE_SECONDS: "0.05",
  };
  const provider = (name: CrmName) =>
    createProvider(name, {
      fetch: nearby([salesforce, hubspot]),
      env,
      now: () => new Date(),
      sleep: () => Promise.resolve(),
    });
  return {
    db: openDb(dbUrl, { max: 2 }),
    sql: postgres(dbUrl, { max: 1, onnotice: () => {} }),
    mocks: { salesforce, hubspot },
    providers: { salesforce: provider("salesforce"), hubspot: provider("hubspot") },
    proposals,
  };
}

/** Calls to the mocks without a network in between: histories are about what is said, not about how it gets there. */
function nearby(mocks: readonly Mock[]): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const mock = mocks.find(({ url }) => request.url.startsWith(`${url}/`));
    if (mock === undefined) throw new Error(`No mock answers to ${request.url}.`);
    return mock.answer(request);
  };
}

async function closeBed({ db, sql, mocks }: Bed): Promise<void> {
  await Promise.all([db.end(), sql.end()]);
  await Promise.all([mocks.salesforce.stop(), mocks.hubspot.stop()]);
}

/** A new workspace with its owner. */
export async function newWorkspace({ db, sql }: Bed): Promise<{ workspace: string; owner: string }> {
  const owner = randomUUID();
  await sql`
    insert into auth.users (id, email, aud, role)
    values (${owner}, ${`${owner}@convergence.example`}, 'authenticated', 'authenticated')`;
  const rows = await db.asUser({ sub: owner }, (as) =>
    as.query<{ id: string }>("select (public.create_workspace('Convergence')).id", []),
  );
  return { workspace: rows[0]?.id ?? "", owner };
}

/** Connects a mock as the crm-oauth function does: consent, tokens, proposed mappings and stages. */
export async function connectMock(
  bed: Bed,
  provider: CrmName,
  whose: { workspace: string; owner: string },
): Promise<string> {
  const crm = bed.providers[provider];
  const codeVerifier = randomBytes(48).toString("base64url");
  const codeChallenge = createHash("sha256").update(codeVerifier).digest("base64url");
  const url = crm.authorizeUrl({ state: "s", codeChallenge, redirectUri: REDIRECT, environment: "production" });
  const consent = await fetch(url, { redirect: "manual" });
  const code = new URL(consent.headers.get("location") ?? "http://none").searchParams.get("code") ?? "";
  const secret = LOCAL_CRM_CLIENT.secret;
  const tokens = await crm.exchangeCode({
    code,
    codeVerifier,
    redirectUri: REDIRECT,
    clientSecret: secret,
    environment: "production",
  });
  const opening = { accessToken: tokens.accessToken, instanceUrl: tokens.instanceUrl, externalAccountId: "" };
  const account = await crm.identify(opening, secret);
  const session = { ...opening, externalAccountId: account.externalAccountId };
  bed.proposals[provider] ??= propose(crm, session);
  const { mappings, stages, owners } = await bed.proposals[provider];
  return connect(bed.db, {
    actor: whose.owner,
    workspace: whose.workspace,
    provider,
    environment: "production",
    account: {
      external_account_id: account.externalAccountId,
      external_account_name: account.externalAccountName,
      instance_url: account.instanceUrl,
      user_id: account.userId,
      user_email: account.userEmail,
      time_zone: account.timeZone ?? null,
    },
    tokens: {
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      expires_at: tokens.expiresAt,
      scopes: tokens.scopes,
    },
    mappings,
    stages,
    owners,
  });
}

async function propose(crm: CrmProvider, session: CrmSession): Promise<Proposal> {
  const described = await Promise.all(
    ENTITY_TYPES.map(async (entity) => defaultMappings(crm.id, entity, await crm.describe(session, entity))),
  );
  const owners = await crm.owners(session);
  return {
    mappings: described.flat(),
    stages: defaultStageMap(await crm.stages(session)),
    owners: owners.map(({ id, email, name }) => ({ crm_user_id: id, email, name })),
  };
}
