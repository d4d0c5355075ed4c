import { errors, type JWTPayload, jwtVerify } from "jose";

/** What the hosted server calls claims: the verified payload of a JWT, or what an opaque key stands for. */
export interface Claims extends JWTPayload {
  role: string;
}

export type TokenErrorKind = "missing" | "malformed" | "expired" | "signature" | "claims";

const CODES: Record<TokenErrorKind, string> = {
  missing: "MissingAPIKey",
  malformed: "MalformedJWT",
  expired: "InvalidJWTToken",
  signature: "JwtSignatureError",
  claims: "InvalidJWTToken",
};

export class TokenError extends Error {
  readonly kind: TokenErrorKind;
  readonly code: string;

  constructor(kind: TokenErrorKind, message: string) {
    super(message);
    this.kind = kind;
    this.code = CODES[kind];
  }
}

export interface TokenSettings {
  jwtSecret: string;
  publishableKey: string;
  secretKey: string;
  now: () => number;
}

export type VerifyToken = (token: string) => Promise<Claims>;

/** Accepts the two opaque keys and HS256 tokens signed with the project's secret. */
export function createTokenVerifier(settings: TokenSettings): VerifyToken {
  const secret = new TextEncoder().encode(settings.jwtSecret);
  const keys: ReadonlyMap<string, Claims> = new Map([
    [settings.publishableKey, { role: "anon" }],
    [settings.secretKey, { role: "service_role" }],
  ]);
  return async (token) => {
    if (!token) throw new TokenError("missing", "API key is missing");
    return keys.get(token) ?? verifyJwt(token, secret, settings.now);
  };
}

async function verifyJwt(token: string, secret: Uint8Array, now: () => number): Promise<Claims> {
  try {
    const { payload } = await jwtVerify(token, secret, { algorithms: ["HS256"], currentDate: new Date(now()) });
    if (typeof payload.role !== "string" || typeof payload.exp !== "number") {
      throw new TokenError("claims", "Fields `role` and `exp` are required in JWT");
    }
    return { ...payload, role: payload.role };
  } catch (error) {
    throw tokenError(error, now);
  }
}

function tokenError(error: unknown, now: () => number): unknown {
  if (error instanceof errors.JWTExpired) {
    return new TokenError("expired", expiredMessage(error.payload.exp ?? 0, now));
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return new TokenError("signature", "Failed to validate JWT signature");
  }
  if (error instanceof errors.JOSEError) return new TokenError("malformed", "The token provided is not a valid JWT");
  return error;
}

export function expiredMessage(expiresAt: number, now: () => number): string {
  return `Token has expired ${Math.max(0, Math.floor(now() / 1000) - expiresAt)} seconds ago`;
}

/** supabase-js pushes its API key as access token while nobody is signed in; the server ignores it. */
export function isApiKey(token: string): boolean {
  return token.startsWith("sb_");
}
