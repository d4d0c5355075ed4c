export type Random = (length: number) => Uint8Array<ArrayBuffer>;

/** Unguessable text that is safe in an address. */
export function randomText(random: Random, bytes: number): string {
  return base64Url(random(bytes));
}

/** PKCE S256. */
export async function codeChallenge(verifier: string): Promise<string> {
  return base64Url(await sha256(verifier));
}

/** What the database keeps of the state and the browser key. */
export async function hashOf(text: string): Promise<string> {
  return Array.from(await sha256(text), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}
