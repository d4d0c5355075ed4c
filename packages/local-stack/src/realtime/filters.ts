/** Parses the `filter` of a postgres_changes subscription, for example `status=eq.open,amount=not.in.(1,2)`. */
export const FILTER_OPERATORS = [
  "eq",
  "neq",
  "lt",
  "lte",
  "gt",
  "gte",
  "in",
  "like",
  "ilike",
  "is",
  "match",
  "imatch",
  "isdistinct",
] as const;

export type FilterOperator = (typeof FILTER_OPERATORS)[number];

export interface Filter {
  column: string;
  operator: FilterOperator;
  value: string;
  negate: boolean;
}

/** The message is what the hosted server reports after "Error parsing `filter` params: ". */
export class FilterError extends Error {}

export function parseFilters(text: string): Filter[] {
  const trimmed = text.trim();
  return trimmed === "" ? [] : splitConditions(trimmed).map(parseCondition);
}

/** Commas separate conditions, except within parentheses and within quotes that open after `.`, `(` or `,`. */
function splitConditions(text: string): string[] {
  const conditions: string[] = [];
  let current = "";
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index++) {
    const char = text.charAt(index);
    if (quoted && char === "\\") {
      current += char + text.charAt(++index);
    } else if (char === '"' && (quoted || /[.(,]/.test(text.charAt(index - 1)))) {
      quoted = !quoted;
      current += char;
    } else if (!quoted && depth === 0 && char === ",") {
      conditions.push(current);
      current = "";
    } else {
      if (!quoted) depth = depthAfter(char, depth);
      current += char;
    }
  }
  return [...conditions, current];
}

function depthAfter(char: string, depth: number): number {
  if (char === "(") return depth + 1;
  return char === ")" ? Math.max(0, depth - 1) : depth;
}

function parseCondition(text: string): Filter {
  const condition = text.trim();
  if (condition === "") throw new FilterError("filter must not contain empty segments (check for extra commas)");
  const [column, rest] = splitOnce(condition, "=");
  if (rest === undefined) throw new FilterError(inspect([condition]));
  const negate = rest.startsWith("not.");
  const [operator, value] = splitOnce(negate ? rest.slice("not.".length) : rest, ".");
  if (value === undefined) throw new FilterError(inspect([operator]));
  if (!isOperator(operator)) throw new FilterError(inspect([operator, value]));
  return { column, operator, value: operator === "in" ? listLiteral(value) : unquote(value), negate };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}

function isOperator(text: string): text is FilterOperator {
  return (FILTER_OPERATORS as readonly string[]).includes(text);
}

/** `(a,b)` to the Postgres array literal `{a,b}`. */
function listLiteral(value: string): string {
  if (value.length < 2 || !value.startsWith("(") || !value.endsWith(")")) {
    throw new FilterError("`in` filter value must be wrapped by parentheses");
  }
  return `{${value.slice(1, -1)}}`;
}

/** A value that is quoted as a whole loses its quotes and escapes; anything else stays as it is. */
function unquote(value: string): string {
  const whole = /^"((?:\\[\s\S]|[^"\\])*)"$/.exec(value);
  return whole?.[1] === undefined ? value : whole[1].replace(/\\([\s\S])/g, "$1");
}

function inspect(parts: string[]): string {
  return `[${parts.map((part) => JSON.stringify(part)).join(", ")}]`;
}
