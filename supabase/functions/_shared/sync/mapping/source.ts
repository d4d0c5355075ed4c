/** Where a mapping's value comes from: one CRM field, or several that together make one object of ours. */
export interface Source {
  fields: readonly string[];
  /** undefined: nothing of it was read. */
  value: (raw: Readonly<Record<string, unknown>>) => unknown;
}

/**
 * An address is one object here and several fields in a CRM. Such a mapping lists the parts:
 * `street=BillingStreet,city=BillingCity`.
 */
export function parseSource(crmField: string): Source {
  if (!crmField.includes("=")) return { fields: [crmField], value: (raw) => read(raw, crmField) };
  const parts = crmField.split(",").map((pair): [part: string, field: string] => {
    const [part = "", field = ""] = pair.split("=");
    return [part.trim(), field.trim()];
  });
  return { fields: parts.map(([, field]) => field), value: (raw) => gathered(parts, raw) };
}

export function formatSource(parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts)
    .map(([part, field]) => `${part}=${field}`)
    .join(",");
}

/** Empty parts are left out; an object without parts is empty. */
function gathered(parts: readonly [string, string][], raw: Readonly<Record<string, unknown>>): unknown {
  const known = parts.flatMap(([part, field]) => {
    const value = read(raw, field);
    return value === undefined ? [] : [[part, value] as const];
  });
  if (known.length === 0) return undefined;
  const filled = known.filter(([, value]) => value !== null && String(value).trim() !== "");
  return filled.length === 0 ? null : Object.fromEntries(filled);
}

/** A field named like something that every object has (constructor, __proto__) is still a field that was not read. */
function read(raw: Readonly<Record<string, unknown>>, field: string): unknown {
  return Object.hasOwn(raw, field) ? raw[field] : undefined;
}
