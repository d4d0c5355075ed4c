import { SettingsError } from "../settings.ts";
import { failure } from "./errors.ts";

/**
 * Where a provider may send a token. Tokens answer with the address of the data API (`instance_url`): followed blindly,
 * a forged answer would have us send them anywhere.
 */
export interface HostRules {
  /** `host` or `*.suffix`; https on the standard port. */
  patterns: readonly string[];
  /** `host[:port]` that the operator listed; plain http for these only on loopback. */
  listed: readonly string[];
}

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** The provider's own hosts, the endpoints that were configured, and CRM_ALLOWED_HOSTS. */
export function hostRules(
  patterns: readonly string[],
  endpoints: readonly string[],
  extra: string | undefined,
): HostRules {
  const fromEndpoints = endpoints.map((endpoint) => new URL(endpoint).host);
  const fromSetting = (extra ?? "")
    .split(",")
    .map(readEntry)
    .filter((entry) => entry !== "");
  return { patterns, listed: [...fromEndpoints, ...fromSetting] };
}

export function isAllowed(address: string, rules: HostRules): boolean {
  if (!URL.canParse(address)) return false;
  const url = new URL(address);
  if (url.username !== "" || url.password !== "") return false;
  const listed = rules.listed.includes(url.host);
  if (url.protocol === "http:") return listed && LOOPBACK.has(url.hostname);
  if (url.protocol !== "https:") return false;
  return listed || (url.port === "" && rules.patterns.some((pattern) => matches(url.hostname, pattern)));
}

export function assertAllowed(address: string, rules: HostRules, crm: string): void {
  if (isAllowed(address, rules)) return;
  const host = URL.canParse(address) ? new URL(address).host : "an unreadable address";
  throw failure(
    "rejected",
    "host_not_allowed",
    `${crm} pointed to ${host}, which is not on the list of allowed hosts, so nothing was sent there. ` +
      "If the address is right, add it to CRM_ALLOWED_HOSTS and connect again.",
  );
}

function matches(hostname: string, pattern: string): boolean {
  return pattern.startsWith("*.") ? hostname.endsWith(pattern.slice(1)) : hostname === pattern;
}

function readEntry(entry: string): string {
  const text = entry.trim().toLowerCase();
  if (text === "") return "";
  if (!/^(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:\d{1,5})?$/.test(text)) {
    throw new SettingsError(`CRM_ALLOWED_HOSTS has an entry that is no host[:port]: "${entry.trim()}".`);
  }
  return text;
}
