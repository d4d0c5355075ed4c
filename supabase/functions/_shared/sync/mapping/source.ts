/** Where a mapping's value comes from: one CRM field, or several that together make one object of ours. */
export interface Source {
  fields: readonly string[];
  /** undefined: it was not read, or not all of it. */
  value: (raw: Readonly<Record<string, unknown>>) => unknown;
}

/**
 * An address is one object here and several fields in a CRM. Such a mapping lists the parts:
 * `street=BillingStreet,city=BillingCity`.
 */
export function parseSource(crmField: string): Source {
  const parts = sourceParts(crmField);
  const fields = parts.map(({ field }) => field);
  const [only] = parts;
  if (only?.part === null) return { fields, value: (raw) => read(raw, only.field) };
  return { fields, value: (raw) => gathered(parts, raw) };
}

export interface SourcePart {
  /** null: the field holds the whole value. */
  part: string | null;
  field: string;
}

/** The fields of a mapping, and which part of ours each holds. */
export function sourceParts(crmField: string): SourcePart[] {
  if (!crmField.includes("=")) return [{ part: null, field: crmField }];
  return crmField.split(",").map((pair) => {
    const [part = "", field = ""] = pair.split("=");
    return { part: part.trim(), field: field.trim() };
  });
}

export function formatSource(parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts)
    .map(([part, field]) => `${part}=${field}`)
    .join(",");
}

/** Empty parts are left out; an object without parts is empty. One of which a part was not read is not known: it would pass for one without it. */
function gathered(parts: readonly SourcePart[], raw: Readonly<Record<string, unknown>>): unknown {
  const known = parts.map(({ part, field }) => [part, read(raw, field)] as const);
  if (known.some(([, value]) => value === undefined)) return undefined;
  const filled = known.filter(([, value]) => value !== null && String(value).trim() !== "");
  return filled.length === 0 ? null : Object.fromEntries(filled);
}

/** A field named like something that every object has (constructor, __proto__) is still a field that was not read. */
function read(raw: Readonly<Record<string, unknown>>, field: string): unknown {
  return Object.hasOwn(raw, field) ? raw[field] : undefined;
}
