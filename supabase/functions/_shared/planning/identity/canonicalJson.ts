/** What a calculation may be asked: JSON, and the maps and typed arrays that stand for it inside. */
export type Canonical =
  | null
  | boolean
  | number
  | string
  | readonly Canonical[]
  | { readonly [key: string]: Canonical | undefined };

/**
 * One text for one meaning: keys in the order of their UTF-16 units, no spaces, numbers as ECMAScript writes them,
 * absent keys left out (RFC 8785, JSON Canonicalization Scheme). What is no JSON number is refused: a NaN would be one
 * with null.
 */
export function canonicalJson(value: Canonical): string {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new TypeError("Only finite numbers can be written as JSON.");
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const entries = Object.entries(value).flatMap(([key, inner]) => (inner === undefined ? [] : [[key, inner] as const]));
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(",")}}`;
}

function isList(value: Canonical): value is readonly Canonical[] {
  return Array.isArray(value);
}
