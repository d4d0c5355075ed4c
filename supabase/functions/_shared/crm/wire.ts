import {
  type CallFamily,
  type CallGate,
  type CallReport,
  type CrmError,
  CrmFailure,
  type ProviderDeps,
} from "./contract.ts";
import { failure, parseRetryAfter, timedOut, unreachable } from "./errors.ts";
import { assertAllowed, type HostRules } from "./hosts.ts";

/**
 * The one way out to a CRM. The client libraries send through here, so host check, time-out, retries and the reading of
 * errors are the same everywhere and bounded: what the libraries do by themselves differs and partly has no end.
 */
export interface WireRequest {
  method: string;
  url: string;
  headers?: Record<string, string>;
  body?: string;
  /** Sending it twice comes to the same as once: a read, an update, a deletion. */
  repeatable: boolean;
  family: CallFamily;
  /** Of the session; absent where nothing is counted. */
  gate?: CallGate;
}

export interface WireResponse {
  status: number;
  headers: Record<string, string>;
  text: string;
}

export type Limits = Pick<CallReport, "dailyRemaining" | "dailyLimit" | "windowRemaining">;

export interface WireOptions {
  crm: string;
  deps: ProviderDeps;
  hosts: HostRules;
  /** Reads a refusal (status 300 and above) as one of the four kinds. */
  classify: (response: WireResponse, now: Date) => CrmError;
  /** What an answer's headers tell about limits. */
  limits?: (headers: Record<string, string>) => Limits;
  timeoutMs?: number;
}

export type Wire = (request: WireRequest) => Promise<WireResponse>;

const ATTEMPTS = 3;
const BACKOFF_MS = [250, 1000];
/** A longer pause belongs to the caller, who has a lease and a budget to mind. */
const LONGEST_PAUSE_MS = 2000;
/** Salesforce refuses address and headers above 16,384 bytes, HubSpot's edge about the same. */
const LONGEST_URL = 15_000;

export function createWire(options: WireOptions): Wire {
  const sleep = options.deps.sleep ?? ((ms: number) => new Promise((resolve) => setTimeout(resolve, ms)));
  return async (request) => {
    assertSendable(request, options);
    for (let attempt = 1; ; attempt++) {
      try {
        return await sendOnce(request, options);
      } catch (error) {
        const pause = pauseBeforeRetry(error, attempt);
        if (pause === null || !(request.repeatable || wasTurnedAway(error))) throw error;
        await sleep(pause);
      }
    }
  };
}

function assertSendable(request: WireRequest, { hosts, crm }: WireOptions): void {
  assertAllowed(request.url, hosts, crm);
  if (request.url.length <= LONGEST_URL) return;
  throw failure(
    "rejected",
    "request_too_long",
    `More fields are mapped than ${crm} can read in one request. Remove the mappings that are not needed and sync again.`,
  );
}

async function sendOnce(request: WireRequest, options: WireOptions): Promise<WireResponse> {
  await request.gate?.enter(request.family);
  const response = await fetchText(request, options);
  const refusal = response.status < 300 ? null : options.classify(response, options.deps.now());
  request.gate?.report(reportOf(request, response, refusal, options));
  if (refusal !== null) throw new CrmFailure(refusal);
  return response;
}

function reportOf(
  { family }: WireRequest,
  { status, headers }: WireResponse,
  refusal: CrmError | null,
  { limits, deps }: WireOptions,
): CallReport {
  const told = parseRetryAfter(headers["retry-after"], deps.now());
  const isTooMany = refusal?.kind === "rate_limited";
  const retryAfterMs = isTooMany ? refusal.retryAfterMs : told;
  return {
    family,
    status,
    ...limits?.(headers),
    ...(isTooMany ? { isTooMany } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** Too many calls: then this one did nothing, whatever it was. */
function wasTurnedAway(error: unknown): boolean {
  return error instanceof CrmFailure && error.detail.kind === "rate_limited";
}

async function fetchText(request: WireRequest, { crm, deps, timeoutMs = 30_000 }: WireOptions): Promise<WireResponse> {
  try {
    const response = await deps.fetch(request.url, {
      method: request.method,
      headers: request.headers,
      body: request.body,
      redirect: "manual", // a redirect would carry the token to a host nobody checked
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
  } catch (error) {
    throw isTimeout(error) ? timedOut(crm, timeoutMs / 1000) : unreachable(crm, error);
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError");
}

/** null: do not try again. */
function pauseBeforeRetry(error: unknown, attempt: number): number | null {
  if (attempt >= ATTEMPTS || !(error instanceof CrmFailure)) return null;
  const { kind, code, retryAfterMs } = error.detail;
  if (code === "timeout") return null;
  if (kind === "transient") return shortEnough(retryAfterMs ?? BACKOFF_MS[attempt - 1] ?? LONGEST_PAUSE_MS);
  return kind === "rate_limited" && retryAfterMs !== undefined ? shortEnough(retryAfterMs) : null;
}

function shortEnough(ms: number): number | null {
  return ms <= LONGEST_PAUSE_MS ? ms : null;
}
