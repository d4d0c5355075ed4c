import { randomBytes } from "node:crypto";
import type { Clock } from "./clock.ts";
import { isVerifier, s256 } from "./pkce.ts";

export interface OAuthClient {
  clientId: string;
  clientSecret: string;
  /** Exact redirect addresses; any loopback address when left out. */
  redirectUris?: readonly string[];
}

export interface Grant {
  id: string;
  clientId: string;
  userId: string;
  scopes: string[];
  refreshToken: string;
  createdAt: number;
}

export interface AccessToken {
  token: string;
  grantId: string | null;
  clientId: string;
  userId: string;
  scopes: string[];
  issuedAt: number;
  expiresAt: number;
}

interface AuthorizationCode {
  clientId: string;
  redirectUri: string;
  challenge: string | null;
  userId: string;
  scopes: string[];
  expiresAt: number;
}

export interface OAuthState {
  grants: Grant[];
  accessTokens: AccessToken[];
}

export type RedeemFailure = "unknown_code" | "wrong_client" | "wrong_redirect" | "wrong_verifier";
export type Redeemed = { ok: true; grant: Grant } | { ok: false; reason: RedeemFailure };

export interface OAuthStoreOptions {
  clock: Clock;
  tokenLifeSeconds: () => number;
  newAccessToken: () => string;
  newRefreshToken: () => string;
  codeLifeSeconds: number;
  /** The oldest grant of a user and client beyond this number is revoked. */
  maxGrantsPerUser?: number;
  changed?: (state: OAuthState) => void;
}

/** Codes, grants and tokens of one provider; what a failure looks like on the wire is the provider's business. */
export class OAuthStore {
  private readonly codes = new Map<string, AuthorizationCode>();
  private readonly grants = new Map<string, Grant>();
  private readonly access = new Map<string, AccessToken>();
  private readonly options: OAuthStoreOptions;

  constructor(options: OAuthStoreOptions) {
    this.options = options;
  }

  issueCode(request: Omit<AuthorizationCode, "expiresAt">): string {
    const code = randomToken(24);
    this.codes.set(code, { ...request, expiresAt: this.now() + this.options.codeLifeSeconds * 1000 });
    return code;
  }

  /** A code is spent by its first use, good or bad. */
  redeem(request: { code: string; clientId: string; redirectUri: string; verifier: string | undefined }): Redeemed {
    const code = this.codes.get(request.code);
    this.codes.delete(request.code);
    if (code === undefined || code.expiresAt <= this.now()) return { ok: false, reason: "unknown_code" };
    if (code.clientId !== request.clientId) return { ok: false, reason: "wrong_client" };
    if (code.redirectUri !== request.redirectUri) return { ok: false, reason: "wrong_redirect" };
    if (code.challenge !== null && !verifierFits(code.challenge, request.verifier)) {
      return { ok: false, reason: "wrong_verifier" };
    }
    return { ok: true, grant: this.newGrant(code) };
  }

  grantByRefreshToken(refreshToken: string): Grant | undefined {
    for (const grant of this.grants.values()) if (grant.refreshToken === refreshToken) return grant;
    return undefined;
  }

  grant(id: string): Grant | undefined {
    return this.grants.get(id);
  }

  rotate(grant: Grant): void {
    grant.refreshToken = this.options.newRefreshToken();
    this.notify();
  }

  /** A token for a grant, or one without a grant: what a test or a bench uses in place of a consent. */
  issueAccess(holder: Pick<Grant, "clientId" | "userId" | "scopes"> & { id: string | null }): AccessToken {
    const issuedAt = this.now();
    const token: AccessToken = {
      token: this.options.newAccessToken(),
      grantId: holder.id,
      clientId: holder.clientId,
      userId: holder.userId,
      scopes: holder.scopes,
      issuedAt,
      expiresAt: issuedAt + this.options.tokenLifeSeconds() * 1000,
    };
    this.access.set(token.token, token);
    this.notify();
    return token;
  }

  /** The token as known, alive or expired; undefined when it was never issued or is revoked. */
  findAccess(token: string): AccessToken | undefined {
    return this.access.get(token);
  }

  isAlive(token: AccessToken): boolean {
    return token.expiresAt > this.now();
  }

  revokeAccess(token: string): void {
    this.access.delete(token);
    this.notify();
  }

  revokeGrant(grantId: string): void {
    this.grants.delete(grantId);
    for (const [key, token] of this.access) if (token.grantId === grantId) this.access.delete(key);
    this.notify();
  }

  revokeAll(): void {
    this.grants.clear();
    this.access.clear();
    this.notify();
  }

  expireAccess(): void {
    for (const token of this.access.values()) token.expiresAt = Math.min(token.expiresAt, this.now());
    this.notify();
  }

  export(): OAuthState {
    return { grants: [...this.grants.values()], accessTokens: [...this.access.values()] };
  }

  import(state: OAuthState): void {
    for (const grant of state.grants) this.grants.set(grant.id, grant);
    for (const token of state.accessTokens) this.access.set(token.token, token);
  }

  private newGrant(code: AuthorizationCode): Grant {
    const grant: Grant = {
      id: randomToken(12),
      clientId: code.clientId,
      userId: code.userId,
      scopes: code.scopes,
      refreshToken: this.options.newRefreshToken(),
      createdAt: this.now(),
    };
    this.grants.set(grant.id, grant);
    this.revokeSurplus(grant);
    this.notify();
    return grant;
  }

  private revokeSurplus(latest: Grant): void {
    const most = this.options.maxGrantsPerUser;
    if (most === undefined) return;
    const same = [...this.grants.values()].filter(
      (grant) => grant.userId === latest.userId && grant.clientId === latest.clientId,
    );
    for (const grant of same.slice(0, Math.max(0, same.length - most))) this.revokeGrant(grant.id);
  }

  private now(): number {
    return this.options.clock.now();
  }

  private notify(): void {
    this.options.changed?.(this.export());
  }
}

function verifierFits(challenge: string, verifier: string | undefined): boolean {
  return verifier !== undefined && isVerifier(verifier) && s256(verifier) === challenge;
}

export function randomToken(bytes: number): string {
  return randomBytes(bytes).toString("base64url");
}
