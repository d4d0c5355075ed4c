/** SOQL has no parameters, so every value passes through here and every name through `identifier`. */

const ESCAPES: Record<string, string> = {
  "\\": "\\\\",
  "'": "\\'",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\f": "\\f",
};

export function text(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to be escaped
  return `'${value.replace(/[\\'"\n\r\t\u0008\f]/g, (character) => ESCAPES[character] ?? character)}'`;
}

/** For LIKE: the wildcards of the value lose their meaning. */
export function likeText(value: string): string {
  return text(value).replace(/[%_]/g, (wildcard) => `\\${wildcard}`);
}

/** `2026-01-01T00:00:00.000+0000` or any other time text, as an unquoted literal. */
export function dateTime(value: string | number): string {
  return new Date(value).toISOString();
}

/** Names cannot be escaped: anything but a plain name is refused. */
export function identifier(name: string): string {
  if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) throw new RangeError(`not a Salesforce name: ${JSON.stringify(name)}`);
  return name;
}

/** Addresses may have 15,000 characters, the rest of the request takes some. */
const LONGEST_QUERY = 12_000;
/** A condition may have 4,000 characters before encoding. */
const LONGEST_LIST = 3_700;
const SEPARATOR = ",";

/** Runs of values, each short enough for one `IN (…)` behind the given start of a query. */
export function listsFor(start: string, values: readonly string[]): string[] {
  const room = LONGEST_QUERY - encodeURIComponent(start).length;
  const lists: string[][] = [];
  let [plain, encoded] = [Number.POSITIVE_INFINITY, 0];
  for (const literal of new Set(values.map(text))) {
    const more = encodeURIComponent(literal + SEPARATOR).length;
    if (plain + literal.length + SEPARATOR.length > LONGEST_LIST || encoded + more > room) {
      lists.push([]);
      [plain, encoded] = [0, 0];
    }
    lists.at(-1)?.push(literal);
    plain += literal.length + SEPARATOR.length;
    encoded += more;
  }
  return lists.map((list) => list.join(SEPARATOR));
}
