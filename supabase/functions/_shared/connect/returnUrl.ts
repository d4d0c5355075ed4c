import { problem } from "../http/problem.ts";
import { SettingsError } from "../settings.ts";

/**
 * A code travels to the return address, so it has to be one that the operator listed: same origin, and the path equal to
 * the listed one or below it.
 */
export function assertReturnUrl(address: string, allowed: readonly string[]): void {
  if (allowed.length === 0) {
    throw new SettingsError(
      "CRM_ALLOWED_RETURN_URLS is not set, so nobody could be sent back to the app. List the app's addresses there.",
    );
  }
  if (allowed.some((entry) => isBelow(address, entry))) return;
  throw problem(
    422,
    "return_url_not_allowed",
    "return_url is not one of the addresses in CRM_ALLOWED_RETURN_URLS. Use a listed one, or ask the operator to add it.",
  );
}

function isBelow(address: string, entry: string): boolean {
  if (!URL.canParse(address)) return false;
  const url = new URL(address);
  const base = new URL(entry);
  if (url.username !== "" || url.password !== "" || url.origin !== base.origin || url.origin === "null") return false;
  // Some servers take these for path separators, and `..` behind one would lead out of the listed path.
  if (/%2f|%5c/i.test(url.pathname)) return false;
  const prefix = base.pathname.replace(/\/+$/, "");
  return url.pathname === prefix || url.pathname.startsWith(`${prefix}/`);
}

/** The answer travels in the query; what the address had there stays. */
export function withResult(address: string, result: Record<string, string>): string {
  const url = new URL(address);
  for (const [name, value] of Object.entries(result)) url.searchParams.set(name, value);
  return url.toString();
}
