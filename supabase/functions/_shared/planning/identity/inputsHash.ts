import { type Canonical, canonicalJson } from "./canonicalJson.ts";

/**
 * Raised whenever the same inputs would give other digits. A stored result of another version is not handed out for a
 * new request.
 */
export const ENGINE_VERSION = 1;

/** SHA-256 in hex over the version and everything that decides the digits: inputs, options and seed. */
export async function inputsHash(inputs: Canonical): Promise<string> {
  const text = canonicalJson({ engine_version: ENGINE_VERSION, inputs });
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
