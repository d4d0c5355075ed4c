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
import { ENTITY_TYPES } from "../../../supabase/functions/_shared/crm/contract.ts";
import { createProvider } from "../../../supabase/functions/_shared/crm/registry.ts";
import { openDb } from "../../../supabase/functions/_shared/db/connect.ts";
import { connect } from "../../../supabase/functions/_shared/db/sql/connections.ts";
import type { Db } from "../../../supabase/functions/_shared/db/types.ts";
import { defaultMappings, defaultStageMap } from "../../../supabase/functions/_shared/sync/defaults/index.ts";
import type { CrmName } from "./fields.ts";

/** A database with the migrations, and both CRMs in this process. Used for one history after the other. */
export interface Bed {
  db: Db;
  sql: Sql;
  env: Record<string, string>;
  mocks: Record<CrmName, Mock>;
  stop(): Promise<void>;
}

const REDIRECT = "http://127.0.0.1:3999/callback";
const EMPTY = { data: "generated", companies: 0, contacts: 0, deals: 0 } as const;

export async function startBed(firstPort: number): Promise<Bed> {
  const dataDir = await mkdtemp(join(tmpdir(), "pipeline-crm-convergence-"));
  // Run by root, the database server is another user, who must be able to get in.
  await chmod(dataDir, 0o755);
  const stack: Stack = await onFreePorts(firstPort, (portBase) =>
    startStack({ projectRoot: PROJECT_ROOT, dataDir, portBase }),
  );
  const [salesforce, hubspot] = await Promise.all([startSalesforceMock(EMPTY), startHubSpotMock(EMPTY)]);
  await storeSecrets(stack.dbUrl, {
    crm_salesforce_client_secret: LOCAL_CRM_CLIENT.secret,
    crm_hubspot_client_secret: LOCAL_CRM_CLIENT.secret,
    // Nobody listens there: the worker of these tests is called by hand.
    project_url: "http://127.0.0.1:9",
  });
  const db = openDb(stack.dbUrl, { max: 4 });
  const sql = postgres(stack.dbUrl, { max: 4, onnotice: () => {} });
  return {
    db,
    sql,
    mocks: { salesforce, hubspot },
    env: {
      SALESFORCE_CLIENT_ID: LOCAL_CRM_CLIENT.id,
      SALESFORCE_LOGIN_URL: salesforce.url,
      HUBSPOT_CLIENT_ID: LOCAL_CRM_CLIENT.id,
      HUBSPOT_AUTHORIZE_URL: `${hubspot.url}/oauth/authorize`,
      HUBSPOT_API_URL: hubspot.url,
      HUBSPOT_SEARCH_SETTLE_SECONDS: "0.05",
    },
    async stop() {
      await Promise.all([db.end(), sql.end()]);
      await Promise.all([salesforce.stop(), hubspot.stop(), stack.stop()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
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
export async function connectMock(bed: Bed, provider: CrmName, whose: { workspace: string; owner: string }): Promise<string> {
  const crm = createProvider(provider, { fetch, env: bed.env, now: () => new Date() });
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
  const described = await Promise.all(
    ENTITY_TYPES.map(async (entity) => defaultMappings(provider, entity, await crm.describe(session, entity))),
  );
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
    },
    tokens: {
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      expires_at: tokens.expiresAt,
      scopes: tokens.scopes,
    },
    mappings: described.flat(),
    stages: defaultStageMap(await crm.stages(session)),
    owners: (await crm.owners(session)).map(({ id, email, name }) => ({ crm_user_id: id, email, name })),
  });
}
