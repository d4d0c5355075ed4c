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
