const CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/**
 * Salesforce has one id in two spellings: 15 characters where case matters, and 18 where a checksum makes case irrelevant.
 * Reports and old integrations hand out the short one; we keep and compare the long one only.
 */
export function id18(id: string): string {
  if (id.length !== 15) return id;
  const suffix = [0, 5, 10].map((start) => CHECKSUM[capitals(id.slice(start, start + 5))]);
  return id + suffix.join("");
}

/** For queries, where the short one does and 200 of them fit into one condition. */
export function id15(id: string): string {
  return id.slice(0, 15);
}

export function optionalId(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? id18(value) : null;
}

/** Bit i is set where character i is a capital letter. */
function capitals(block: string): number {
  return [...block].reduce((bits, character, i) => (/[A-Z]/.test(character) ? bits | (1 << i) : bits), 0);
}
