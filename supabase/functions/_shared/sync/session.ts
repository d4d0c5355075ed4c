import type { CrmProvider, CrmSession, CrmTokens } from "../crm/contract.ts";
import { failure, isExpiredSession } from "../crm/errors.ts";
import type { Gate } from "./gate.ts";

/** Tokens this close to their end are renewed before they are used. */
const RENEW_BEFORE_MS = 5 * 60_000;

export interface StoredSession {
  environment: "production" | "sandbox";
  instance_url: string;
  external_account_id: string;
  access_token: string;
  refresh_token: string | null;
  expires_at: Date | null;
  version: number;
}

export interface TokenSet {
  access_token: string;
  refresh_token: string | null;
  expires_at: string | null;
  scopes: readonly string[];
}

/** Where tokens are kept. */
export interface TokenStore {
  load(): Promise<StoredSession>;
  /** Compare-and-set on the version; false when somebody was faster. */
  store(version: number, tokens: TokenSet): Promise<boolean>;
  clientSecret(): Promise<string>;
  /** One at a time per connection, over all workers; ends by itself when the worker dies. */
  exclusively<T>(run: (store: TokenStore) => Promise<T>): Promise<T>;
}

export interface SessionDeps {
  store: TokenStore;
  provider: Pick<CrmProvider, "refresh">;
  now: () => Date;
  /** Stands before every call; absent where nothing is counted. */
  gate?: Gate;
}

export interface SessionKeeper {
  /** Runs a call with a token that works. A refusal is answered by one renewal at most, here or by another worker, and another try. */
  use<T>(call: (session: CrmSession) => Promise<T>): Promise<T>;
}

export function keepSession(deps: SessionDeps): SessionKeeper {
  let current: StoredSession | null = null;
  let renewing: Promise<StoredSession> | null = null;
  let margin = RENEW_BEFORE_MS;

  const renew = (stale: StoredSession): Promise<StoredSession> => {
    renewing ??= deps.store
      .exclusively((store) => renewed(deps, store, stale))
      .finally(() => {
        renewing = null;
      });
    return renewing;
  };
  const fresh = async (): Promise<StoredSession> => {
    current ??= await deps.store.load();
    if (remaining(current, deps.now()) > margin) return current;
    current = await renew(current);
    // A token that lives for less than the margin would otherwise be renewed before every call.
    margin = Math.min(RENEW_BEFORE_MS, remaining(current, deps.now()) / 2);
    return current;
  };

  const attempt = async <T>(call: (session: CrmSession) => Promise<T>): Promise<T> => {
    const ask = (session: StoredSession) => call(forProvider(session, deps.gate));
    const session = await fresh();
    try {
      return await ask(session);
    } catch (error) {
      if (!isExpiredSession(error)) throw error;
    }
    if (session.version === current?.version) current = await renew(session);
    const second = await fresh();
    try {
      return await ask(second);
    } catch (error) {
      if (!isExpiredSession(error)) throw error;
    }
    // Where renewing ends the older token, another worker's renewal may have ended this one.
    current = await deps.store.load();
    if (current.version === second.version) throw reconnect();
    return ask(current).catch(refusedAgain);
  };

  return {
    async use(call) {
      try {
        return await attempt(call);
      } catch (error) {
        throw deps.gate === undefined ? error : await deps.gate.explain(error);
      }
    },
  };
}

/** Inside the lock: if another worker renewed meanwhile, or a person reconnected, those tokens are the ones to use. */
async function renewed(deps: SessionDeps, store: TokenStore, stale: StoredSession): Promise<StoredSession> {
  const stored = await store.load();
  if (stored.version !== stale.version) return stored;
  if (stored.refresh_token === null) throw reconnect();
  const { refresh_token: refreshToken, environment } = stored;
  const clientSecret = await store.clientSecret();
  try {
    const tokens = await deps.provider.refresh({ refreshToken, clientSecret, environment });
    await store.store(stored.version, tokenSet(tokens, refreshToken));
    return store.load();
  } catch (error) {
    // A reconnect takes no lock: the CRM then refuses the token that it has replaced, and nothing is wrong.
    const latest = await store.load();
    if (latest.version !== stored.version) return latest;
    throw error;
  }
}

function tokenSet(tokens: CrmTokens, refreshToken: string): TokenSet {
  return {
    access_token: tokens.accessToken,
    refresh_token: tokens.refreshToken ?? refreshToken,
    expires_at: tokens.expiresAt,
    scopes: tokens.scopes,
  };
}

function remaining(session: StoredSession, now: Date): number {
  return session.expires_at === null ? Number.POSITIVE_INFINITY : session.expires_at.getTime() - now.getTime();
}

function forProvider(session: StoredSession, gate: Gate | undefined): CrmSession {
  return {
    accessToken: session.access_token,
    instanceUrl: session.instance_url,
    externalAccountId: session.external_account_id,
    ...(gate === undefined ? {} : { gate }),
  };
}

/** A brand-new token that is refused as well means that access is gone, not that it ran out. */
function refusedAgain(error: unknown): never {
  throw isExpiredSession(error) ? reconnect() : error;
}

function reconnect(): Error {
  return failure(
    "revoked",
    "access_gone",
    "The CRM no longer accepts this connection. Reconnect it; mappings and links are kept.",
  );
}
