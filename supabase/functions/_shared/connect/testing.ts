import type { CrmProvider, CrmSession } from "../crm/contract.ts";
import { failure } from "../crm/errors.ts";
import { type Answers, answering, roleCheck } from "../db/testing.ts";
import { type Db, DbFailure } from "../db/types.ts";
import { callers } from "../http/testing.ts";
import type { ConnectDeps } from "./deps.ts";
import { connectRoutes } from "./routes.ts";

/** Stand-ins for the tests of this folder: a database that keeps the promises of its functions, and a CRM. */

export const ADMIN = { id: "11111111-1111-4111-8111-111111111111", email: "admin@demo.example" };
export const OTHER_ADMIN = { id: "22222222-2222-4222-8222-222222222222", email: "other@demo.example" };
export const MEMBER = { id: "33333333-3333-4333-8333-333333333333", email: "member@demo.example" };
export const STRANGER = { id: "44444444-4444-4444-8444-444444444444", email: "stranger@demo.example" };
export const WORKSPACE = "55555555-5555-4555-8555-555555555555";
export const RETURN_URL = "https://app.example/settings/crm?tab=1";
export const CONFIG = "66666666-6666-4666-8666-666666666666";

const ROLES = roleCheck(WORKSPACE, { [ADMIN.id]: "admin", [OTHER_ADMIN.id]: "admin", [MEMBER.id]: "member" });

interface State {
  actor: string;
  browserKeyHash: string;
  verifier: string;
  returnUrl: string;
  redirectUri: string;
  provider: string;
  environment: string;
  used: boolean;
}

export class FakeDatabase {
  states = new Map<string, State>();
  connections: {
    actor: string;
    account: unknown;
    tokens: unknown;
    mappings: unknown[];
    stages: unknown[];
    owners: unknown[];
  }[] = [];
  /** Of the CRM, by connection and entity. */
  fields = new Map<string, unknown>();
  status = "connected";
  /** Of the call that changed something last. */
  headers: Record<string, string | null> = {};
  tokensKept = true;
  expired = false;

  /** What the SQL functions answer, by name. */
  readonly #functions: Answers = {
    ...ROLES,
    "private.crm_oauth_begin": ([
      actor,
      ,
      provider,
      environment,
      hash,
      browserKeyHash,
      verifier,
      returnUrl,
      redirectUri,
    ]) => {
      this.#require(String(actor), "admin");
      const texts = {
        actor,
        provider,
        environment,
        browserKeyHash,
        verifier,
        returnUrl,
        redirectUri,
      } as unknown as State;
      this.states.set(String(hash), { ...texts, used: false });
      return [{ expires_at: new Date("2026-11-21T12:10:00Z") }];
    },
    "private.crm_oauth_peek": ([hash]) => {
      const { returnUrl, provider } = this.#liveState(hash);
      return [{ return_url: returnUrl, provider }];
    },
    "private.crm_oauth_consume": ([actor, hash, browserKeyHash]) => {
      const state = this.#liveState(hash);
      if (state.actor !== actor || state.browserKeyHash !== browserKeyHash) throw invalidState();
      state.used = true;
      const { provider, environment, verifier, redirectUri, returnUrl } = state;
      return [
        {
          workspace_id: WORKSPACE,
          provider,
          environment,
          code_verifier: verifier,
          redirect_uri: redirectUri,
          return_url: returnUrl,
        },
      ];
    },
    "set_config('request.headers'": ([headers]) => {
      this.headers = JSON.parse(String(headers)) as Record<string, string | null>;
      return [];
    },
    "private.crm_client_secret": () => [{ secret: "hush" }],
    "private.crm_connect": ([actor, , , , account, tokens, mappings, stages, owners]) => {
      const [a, t, m, s, o] = [account, tokens, mappings, stages, owners].map((text) => JSON.parse(String(text)));
      this.connections.push({ actor: String(actor), account: a, tokens: t, mappings: m, stages: s, owners: o });
      return [{ config_id: CONFIG }];
    },
    "private.crm_keep_fields": ([config, entity, fields]) => {
      this.fields.set(`${config} ${entity}`, JSON.parse(String(fields)));
      return [];
    },
    "private.crm_disconnect": ([actor]) => {
      this.#require(String(actor), "admin");
      this.status = "disconnected";
      return [{ tokens: this.tokensKept ? { refresh_token: "refresh-1" } : null }];
    },
    "private.crm_forget_credentials": () => {
      this.tokensKept = false;
      return [];
    },
    "public.crm_sync_configs": () => [
      {
        id: CONFIG,
        workspace_id: WORKSPACE,
        crm_provider: "salesforce",
        environment: "production",
        status: this.status,
      },
    ],
  };

  get db(): Db {
    return answering(this.#functions);
  }

  #require(user: string, role: string): void {
    ROLES["private.require_role"]?.([WORKSPACE, role, user]);
  }

  #liveState(hash: unknown): State {
    const state = this.states.get(String(hash));
    if (state === undefined || state.used || this.expired) throw invalidState();
    return state;
  }
}

function invalidState(): DbFailure {
  return new DbFailure({ code: "PC003", message: "This sign-in is unknown, used or too old. Start again." });
}

/** A CRM where everything works; a test replaces what should not. */
export function fakeProvider(overrides: Partial<CrmProvider> = {}): CrmProvider {
  const unused = () => Promise.reject(failure("rejected", "unused", "This test does not read records."));
  return {
    id: "salesforce",
    authorizeUrl: ({ state, codeChallenge }) =>
      `https://crm.example/authorize?state=${state}&code_challenge=${codeChallenge}`,
    exchangeCode: async () => ({
      accessToken: "access-1",
      refreshToken: "refresh-1",
      expiresAt: null,
      scopes: ["api"],
      instanceUrl: "https://acme.my.salesforce.com",
    }),
    refresh: unused,
    revoke: async () => {},
    identify: async (session) => ({
      externalAccountId: "00D000000000001AAA",
      externalAccountName: "Acme",
      instanceUrl: session.instanceUrl,
      userId: "005000000000001AAA",
      userEmail: "ada@acme.example",
    }),
    describe: async () => [
      {
        name: "Name",
        label: "Name",
        type: "string",
        crmType: "string",
        required: true,
        readOnly: false,
        custom: false,
      },
    ],
    stages: async () => [
      {
        pipelineId: "",
        pipelineLabel: "",
        id: "Won",
        label: "Won",
        position: 1,
        probability: 100,
        closed: true,
        won: true,
      },
    ],
    owners: async () => [{ id: "005000000000001AAA", email: "ada@acme.example", name: "Ada", active: true }],
    count: async () => 0,
    readPage: unused,
    batch: { fetch: 100, write: 100 },
    atOnce: { batches: 1, writes: 1 },
    lookUpLagMs: 0,
    fetchRecords: unused,
    createRecords: unused,
    updateRecords: unused,
    deleteRecords: unused,
    lookUp: unused,
    ...overrides,
  };
}

export function fakeDeps(database: FakeDatabase, provider: CrmProvider = fakeProvider()): ConnectDeps {
  const session: CrmSession = {
    accessToken: "access-1",
    instanceUrl: "https://acme.my.salesforce.com",
    externalAccountId: "00D",
  };
  return {
    db: database.db,
    settings: () => ({
      redirectUri: "https://project.example/functions/v1/crm-oauth/callback",
      returnUrls: ["https://app.example/settings", "http://127.0.0.1:3000"],
    }),
    provider: () => provider,
    withSession: (_, call) => call(session, provider),
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
  };
}

/** The function as its callers see it, with what it did to the database. */
export function setUp(overrides: Partial<CrmProvider> = {}) {
  const database = new FakeDatabase();
  const { post, ...rest } = callers("crm-oauth", connectRoutes(fakeDeps(database, fakeProvider(overrides))), ADMIN);
  return {
    ...rest,
    post,
    database,
    start: async (more: object = {}) => {
      const input = { workspace_id: WORKSPACE, provider: "salesforce", return_url: RETURN_URL, ...more };
      const { status, body } = await post("/start", input);
      const state = new URL(String(body.authorize_url ?? "http://none")).searchParams.get("state") ?? "";
      return { status, body, state, browser_key: String(body.browser_key) };
    },
  };
}
