import type { LookupCandidate } from "./contract.ts";

/** A record that a look-up found, as far as both CRMs tell the same of it. */
export interface FoundRecord {
  id: string;
  createdAt: string;
  /** Absent where records carry none; then e-mail and name have to do. */
  externalId?: string | null;
  email?: string | null;
  website?: string | null;
  name?: string | null;
}

/** Their clock and ours differ a little, and Salesforce has whole seconds. */
export const CLOCK_SLACK_MS = 5 * 60_000;

/** The time from which on the records of all candidates may have been made. */
export function earliest(candidates: readonly LookupCandidate[]): string {
  const times = candidates.map(({ createdAfter }) => Date.parse(createdAfter) - CLOCK_SLACK_MS);
  return new Date(Math.min(...times)).toISOString();
}

/**
 * Which record each candidate became: the one that agrees in everything that is known of it. Several that fit, or one
 * that fits several, is no answer.
 */
export function assign(candidates: readonly LookupCandidate[], found: readonly FoundRecord[]): Map<string, string> {
  const fitting = candidates.map((candidate) => {
    const ids = new Set(found.filter((record) => fits(candidate, record)).map((record) => record.id));
    return [candidate.key, ids] as const;
  });
  const claims = new Map<string, number>();
  for (const [, ids] of fitting) for (const id of ids) claims.set(id, (claims.get(id) ?? 0) + 1);
  const sure = fitting.flatMap(([key, ids]) => {
    const [id] = ids;
    return id !== undefined && ids.size === 1 && claims.get(id) === 1 ? [[key, id] as const] : [];
  });
  return new Map(sure);
}

function fits(candidate: LookupCandidate, record: FoundRecord): boolean {
  if (candidate.externalId !== undefined && record.externalId !== undefined) {
    return candidate.externalId === record.externalId;
  }
  if (Date.parse(record.createdAt) < Date.parse(candidate.createdAfter) - CLOCK_SLACK_MS) return false;
  if (candidate.email !== undefined) return same(candidate.email, record.email);
  if (candidate.name === undefined || !same(candidate.name, record.name)) return false;
  return candidate.domain === undefined || !record.website || domainOf(candidate.domain) === domainOf(record.website);
}

function same(left: string, right: string | null | undefined): boolean {
  return normalised(left) === normalised(right ?? "");
}

export function normalised(text: string): string {
  return text.normalize("NFC").replace(/\s+/g, " ").trim().toLowerCase();
}

function domainOf(website: string): string {
  return normalised(website)
    .replace(/^[a-z]+:\/\//, "")
    .replace(/^www\./, "")
    .replace(/[/?#:].*$/, "");
}
