/**
 * The part of TOML that supabase/config.toml uses: tables, bare and quoted keys, strings, numbers, booleans, arrays of
 * those. Anything else is an error that names the line, never a guess.
 */
export type TomlValue = string | number | boolean | TomlValue[] | TomlTable;
export interface TomlTable {
  [key: string]: TomlValue;
}

export function parseToml(text: string): TomlTable {
  const root: TomlTable = {};
  let table = root;
  const lines = text.split(/\r?\n/);
  for (let index = 0; index < lines.length; index++) {
    const start = index;
    let line = stripComment(lines[index] ?? "");
    while (isOpenArray(line) && index + 1 < lines.length) line += ` ${stripComment(lines[++index] ?? "")}`;
    if (line.trim() === "") continue;
    try {
      const header = line.match(/^\s*\[([^[\]]+)\]\s*$/)?.[1];
      if (header) table = descend(root, splitKey(header));
      else assign(table, line);
    } catch (error) {
      throw new Error(`line ${start + 1}: ${(error as Error).message}`);
    }
  }
  return root;
}

function stripComment(line: string): string {
  return line.match(/^(?:[^#"']|"(?:[^"\\]|\\.)*"|'[^']*')*/)?.[0] ?? "";
}

function isOpenArray(line: string): boolean {
  const bare = line.replace(/"(?:[^"\\]|\\.)*"|'[^']*'/g, "");
  return /=\s*\[/.test(bare) && bare.split("[").length > bare.split("]").length;
}

function splitKey(key: string): string[] {
  const parts = key.match(/"[^"]*"|'[^']*'|[A-Za-z0-9_-]+/g) ?? [];
  if (parts.join(".") !== key.replace(/\s*\.\s*/g, ".").trim()) throw new Error(`"${key}" is not a key`);
  return parts.map((part) => part.replace(/^["']|["']$/g, ""));
}

function descend(from: TomlTable, keys: readonly string[]): TomlTable {
  let table = from;
  for (const key of keys) {
    const next = table[key] ?? {};
    table[key] = next;
    if (typeof next !== "object" || Array.isArray(next)) throw new Error(`"${key}" is both a value and a table`);
    table = next;
  }
  return table;
}

function assign(table: TomlTable, line: string): void {
  const [, key, value] = line.match(/^\s*((?:"[^"]*"|'[^']*'|[^=])+?)\s*=\s*(.+?)\s*$/) ?? [];
  if (key === undefined || value === undefined) throw new Error(`"${line.trim()}" is not key = value`);
  const keys = splitKey(key);
  const last = keys.pop() as string;
  descend(table, keys)[last] = parseValue(value);
}

function parseValue(text: string): TomlValue {
  if (text === "true" || text === "false") return text === "true";
  if (/^"(?:[^"\\]|\\.)*"$/.test(text)) return JSON.parse(text) as string;
  if (/^'[^']*'$/.test(text)) return text.slice(1, -1);
  if (/^[+-]?\d[\d_]*(\.\d+)?$/.test(text)) return Number(text.replaceAll("_", ""));
  if (text.startsWith("[") && text.endsWith("]")) return parseArray(text.slice(1, -1));
  throw new Error(`the value ${text} is of a kind this reader does not know`);
}

function parseArray(inner: string): TomlValue[] {
  const items = inner.match(/"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,]+/g) ?? [];
  return items.map(parseValue);
}
