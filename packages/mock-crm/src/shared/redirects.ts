const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** An exact match with a registered address, or any loopback address when none is registered. */
export function redirectAllowed(redirectUri: string | undefined, registered: readonly string[] | undefined): boolean {
  if (redirectUri === undefined || !URL.canParse(redirectUri)) return false;
  if (registered !== undefined) return registered.includes(redirectUri);
  return LOOPBACK.has(new URL(redirectUri).hostname);
}

export function withQuery(address: string, parameters: Record<string, string | undefined>): string {
  const url = new URL(address);
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(name, value);
  return url.toString();
}
