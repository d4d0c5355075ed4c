const JSON_CAST = /\$(\d+)::(jsonb?)\b/g;

/**
 * Lite makes text of an object or a list that goes to a json argument of a function. The driver, told by the server that
 * the parameter is JSON, would make JSON of that text once more; told that it is text, it leaves it alone.
 */
export function withPlainJsonArguments(sql: string, parameters: readonly unknown[]): string {
  return sql.replace(JSON_CAST, (cast, place: string, type: string) =>
    isStructure(parameters[Number(place) - 1]) ? `$${place}::text::${type}` : cast,
  );
}

function isStructure(value: unknown): boolean {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return false;
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}
