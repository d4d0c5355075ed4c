/**
 * What the rest of the system knows about a CRM. A provider is a folder beside this file that fulfils `CrmProvider`;
 * nothing outside that folder knows how its CRM speaks.
 */

import type { Env } from "../settings.ts";
import type { CrmFilter } from "./contract.filters.ts";
import type {
  CreateRequest,
  DeleteRequest,
  FetchRequest,
  LookupRequest,
  LookupResult,
  UpdateRequest,
  WriteResult,
} from "./contract.writing.ts";

export * from "./contract.filters.ts";
export * from "./contract.writing.ts";

export type ProviderId = "salesforce" | "hubspot";
export type Environment = "production" | "sandbox";
export type EntityType = "accounts" | "contacts" | "opportunities";

export const PROVIDER_IDS = ["salesforce", "hubspot"] as const satisfies readonly ProviderId[];
export const PROVIDER_NAMES = { salesforce: "Salesforce", hubspot: "HubSpot" } as const satisfies Record<
  ProviderId,
  string
>;
export const ENTITY_TYPES = ["accounts", "contacts", "opportunities"] as const satisfies readonly EntityType[];

export type MappingDataType =
  | "string"
  | "number"
  | "boolean"
  | "date"
  | "datetime"
  | "picklist"
  | "array"
  | "object"
  | "email"
  | "phone"
  | "url";

/**
 * Every failure of a CRM is one of four kinds, each with one way to handle it:
 * transient (try again later), rate_limited (wait as told), revoked (reconnect), rejected (asking again changes nothing).
 */
export type CrmErrorKind = "transient" | "rate_limited" | "revoked" | "rejected";

export interface CrmError {
  kind: CrmErrorKind;
  /** The CRM's own code where it has one (INVALID_FIELD), else ours in lower case (network_error). */
  code: string;
  /** For the person: what happened, what it means, what to do. Never holds a token or a secret. */
  userMessage: string;
  /** How long to wait, when known. */
  retryAfterMs?: number;
  /** When the limit lifts (ISO, UTC), for a daily quota. */
  until?: string;
  /** For the log, which redacts it. */
  cause?: unknown;
}

/** The only thing a provider throws. */
export class CrmFailure extends Error {
  readonly detail: CrmError;

  constructor(detail: CrmError) {
    super(detail.userMessage, { cause: detail.cause });
    this.name = "CrmFailure";
    this.detail = detail;
  }
}

export interface CrmTokens {
  accessToken: string;
  /** null: the CRM sent none, so the one in use stays valid. */
  refreshToken: string | null;
  /** ISO, UTC. null: the CRM does not say (Salesforce), so a 401 tells. */
  expiresAt: string | null;
  scopes: string[];
  /** Where the data API lives; checked against the allow-list of hosts. */
  instanceUrl: string;
}

/** A kind of call with a limit of its own at the CRM. */
export type CallFamily = "read" | "write" | "search";

/** What a CRM said about its limits with an answer. Absent: it did not say. */
export interface CallReport {
  family: CallFamily;
  status: number;
  /** Calls of the day that are left, and how many a day has. */
  dailyRemaining?: number;
  dailyLimit?: number;
  /** Calls that are left in the short window. */
  windowRemaining?: number;
  /** It turned the call away for there being too many. */
  isTooMany?: boolean;
  retryAfterMs?: number;
}

/** Stands before every call: waits for its turn, and hears what the CRM said about limits. Shared by all workers of a connection. */
export interface CallGate {
  /** Resolves when the call may go out; fails with kind `rate_limited` when that is too far off. */
  enter(family: CallFamily): Promise<void>;
  report(report: CallReport): void;
}

export interface CrmSession {
  accessToken: string;
  instanceUrl: string;
  /** Empty before the account has been identified. */
  externalAccountId: string;
  /** Absent where nothing is counted: while connecting, and in tests. */
  gate?: CallGate;
}

export interface CrmAccount {
  externalAccountId: string;
  externalAccountName: string;
  instanceUrl: string;
  userId: string;
  userEmail: string | null;
  /** IANA name, where the account's day matters to its quota. */
  timeZone?: string;
}

export interface CrmField {
  name: string;
  label: string;
  type: MappingDataType;
  /** The CRM's own name for the type. */
  crmType: string;
  /** Needed to create a record. */
  required: boolean;
  readOnly: boolean;
  custom: boolean;
  options?: { value: string; label: string }[];
  /** The CRM refuses what is not among the options; otherwise they are suggestions. */
  restricted?: boolean;
  maxLength?: number;
}

export interface CrmStage {
  /** Empty where the CRM has one pipeline only. */
  pipelineId: string;
  pipelineLabel: string;
  /** The value a record carries. */
  id: string;
  label: string;
  position: number;
  /** Per cent, 0 to 100. */
  probability: number | null;
  closed: boolean;
  won: boolean;
}

export interface CrmOwner {
  id: string;
  email: string | null;
  name: string;
  active: boolean;
}

export interface CrmRecord {
  id: string;
  /** The CRM's own text at full precision: it is compared, never computed with. */
  modifiedAt: string;
  deleted: boolean;
  /** From an index that lags behind: it may have been deleted since. */
  mayLag?: true;
  /** The survivor's id when this record went away by a merge. */
  mergedInto?: string | null;
  /** Raw values by CRM field name. A requested field that is absent was not read. */
  fields: Record<string, unknown>;
  /** Relations are absent where they were not read; null means read and empty. */
  company?: string | null;
  contact?: string | null;
  ownerId?: string | null;
  stage?: { pipeline: string; id: string } | null;
}

/** Where a reader is, as plain JSON that a checkpoint keeps. Only the provider that made it reads it. */
export type PageCursor = Record<string, string | number | boolean | null>;

/** How far an incremental reader has come. */
export interface HighWater {
  modifiedAt: string;
  id: string;
  /** Where deletions are read by themselves, and not with every run. Only the provider that made it reads it. */
  deletions?: DeletionsRead;
}

/** The last time that deletions were read to the end. */
export interface DeletionsRead {
  /** By our clock, ISO. */
  readAt: string;
  calls: number;
  /** By the CRM's clock: those before are known. */
  upTo: string;
}

export interface ReadRequest {
  entity: EntityType;
  fields: readonly string[];
  /** From `ReadPage.next`; null starts. */
  cursor: PageCursor | null;
  /** null reads everything that is live; else what changed since, deletes and merges included, with an overlap. */
  since: HighWater | null;
  /** Everything, for the second time: with what was deleted or merged away, as far as the CRM still knows it. */
  again?: boolean;
  /** Only records that fulfil it, in terms of CRM fields. Deleted records come regardless. */
  filter?: CrmFilter;
  pageSize?: number;
}

export interface ReadPage {
  records: CrmRecord[];
  /** null: that was the last page. */
  next: PageCursor | null;
  /** Of the whole read, where the CRM tells. */
  total: number | null;
  /** What to keep for the next incremental read once this one is finished; null as long as nothing was seen. */
  highWater: HighWater | null;
  /** Requested fields that the CRM does not have (any more): absent from every record of the page. */
  missingFields: string[];
}

export interface AuthorizeRequest {
  state: string;
  codeChallenge: string;
  redirectUri: string;
  environment: Environment;
}

export interface ExchangeRequest {
  code: string;
  codeVerifier: string;
  redirectUri: string;
  clientSecret: string;
  environment: Environment;
}

export interface TokenRequest {
  refreshToken: string;
  clientSecret: string;
  environment: Environment;
}

export interface CrmProvider {
  readonly id: ProviderId;
  authorizeUrl(request: AuthorizeRequest): string;
  exchangeCode(request: ExchangeRequest): Promise<CrmTokens>;
  /** A refresh token that no longer works fails with kind `revoked`. */
  refresh(request: TokenRequest): Promise<CrmTokens>;
  revoke(request: TokenRequest): Promise<void>;
  identify(session: CrmSession, clientSecret: string): Promise<CrmAccount>;
  describe(session: CrmSession, entity: EntityType): Promise<CrmField[]>;
  stages(session: CrmSession): Promise<CrmStage[]>;
  owners(session: CrmSession): Promise<CrmOwner[]>;
  /** null where the CRM cannot count cheaply. */
  count(session: CrmSession, entity: EntityType, since: HighWater | null, filter?: CrmFilter): Promise<number | null>;
  readPage(session: CrmSession, request: ReadRequest): Promise<ReadPage>;
  /** Most records per fetch, create, update and delete call below. */
  readonly batch: { fetch: number; write: number };
  /** How many batches may be under way at one time, and how many of them may be writing. */
  readonly atOnce: { batches: number; writes: number };
  /** How long a new record may stay invisible to `lookUp`. */
  readonly lookUpLagMs: number;
  /**
   * Records by id. One that was deleted comes with `deleted`, one that was merged away with `mergedInto` as well; one that the
   * CRM does not know is left out.
   */
  fetchRecords(session: CrmSession, request: FetchRequest): Promise<CrmRecord[]>;
  /** One result per write, in any order. Fails as a whole only where nothing is known about any of them. */
  createRecords(session: CrmSession, request: CreateRequest): Promise<WriteResult[]>;
  updateRecords(session: CrmSession, request: UpdateRequest): Promise<WriteResult[]>;
  deleteRecords(session: CrmSession, request: DeleteRequest): Promise<WriteResult[]>;
  /** Looks for records that an earlier, unanswered create may have made. A key that is absent was not found. */
  lookUp(session: CrmSession, request: LookupRequest): Promise<LookupResult>;
}

export interface ProviderDeps {
  fetch: typeof fetch;
  /** All of it: each provider picks and checks its own settings. */
  env: Env;
  now: () => Date;
  /** Waits between the few retries a provider makes by itself; the default is a timer. */
  sleep?: (ms: number) => Promise<void>;
}
