import { createHash } from "node:crypto";

export function s256(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

/** RFC 7636 starts at 43 characters; one provider documents 171, so the upper bound is generous. */
export function isVerifier(text: string): boolean {
  return /^[A-Za-z0-9\-._~]{43,256}$/.test(text);
}
