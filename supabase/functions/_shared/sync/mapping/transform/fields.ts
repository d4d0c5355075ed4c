const DOTTED = /\brecord\s*\??\.\s*([\p{ID_Start}$_][\p{ID_Continue}$]*)/gu;
const BRACKETED = /\brecord\s*(?:\?\.)?\s*\[\s*(["'`])([^"'`\\\n]+)\1\s*\]/gu;

/**
 * The CRM fields that an expression reads by name. Too many rather than too few: a mention inside a text counts too. What is
 * put together while it runs (`record[name]`) cannot be seen.
 */
export function fieldsIn(source: string): string[] {
  const dotted = [...source.matchAll(DOTTED)].map((match) => match[1] ?? "");
  const bracketed = [...source.matchAll(BRACKETED)].map((match) => match[2] ?? "");
  return [...new Set([...dotted, ...bracketed])];
}

export function mentionsRecord(source: string): boolean {
  return /\brecord\b/.test(source);
}
