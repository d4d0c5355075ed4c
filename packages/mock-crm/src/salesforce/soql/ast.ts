import { parseQuery, type Query, type ValueCondition, type WhereClause } from "@jetstreamapp/soql-parser-js";
import { malformedQuery } from "../errors.ts";

export type Condition =
  | { kind: "and" | "or"; parts: Condition[] }
  | { kind: "not"; part: Condition }
  | { kind: "compare"; test: ValueCondition };

type Token = "(" | ")" | "AND" | "OR" | "NOT" | ValueCondition;

export function parseSoql(text: string): Query & { sObject: string } {
  try {
    const query = parseQuery(text);
    if (query.sObject === undefined) throw malformedQuery("unexpected token: '<EOF>'");
    return { ...query, sObject: query.sObject };
  } catch (cause) {
    throw malformedQuery(`unexpected token in: ${text.slice(0, 200)} (${firstLine(cause)})`);
  }
}

/** The parser returns a flat chain with counted parentheses; this gives it back its tree. */
export function conditionTree(where: WhereClause): Condition {
  const tokens = tokensOf(where);
  const tree = readGroup(tokens);
  if (tokens.length > 0) throw malformedQuery("unexpected token: ')'");
  return tree;
}

function tokensOf(where: WhereClause): Token[] {
  const tokens: Token[] = [];
  let clause: WhereClause | undefined = where;
  while (clause !== undefined) {
    const { left } = clause;
    if (left !== null) {
      const { openParen = 0, closeParen = 0 } = left as { openParen?: number; closeParen?: number };
      tokens.push(...Array<Token>(openParen).fill("("));
      if ("operator" in left) tokens.push(valueCondition(left));
      tokens.push(...Array<Token>(closeParen).fill(")"));
    }
    if (!("operator" in clause)) break;
    tokens.push(clause.operator);
    clause = clause.right;
  }
  return tokens;
}

function valueCondition(left: object): ValueCondition {
  if (!("field" in left) || !("value" in left)) {
    throw malformedQuery("subqueries and functions in WHERE are beyond this mock's SOQL");
  }
  return left as ValueCondition;
}

/** AND and OR may not be mixed on one level, which is Salesforce's rule too. */
function readGroup(tokens: Token[]): Condition {
  const parts = [readTerm(tokens)];
  let joined: "AND" | "OR" | null = null;
  while (tokens[0] === "AND" || tokens[0] === "OR") {
    const operator = tokens[0];
    if (joined !== null && joined !== operator) throw malformedQuery(`unexpected token: '${operator}'`);
    joined = operator;
    tokens.shift();
    parts.push(readTerm(tokens));
  }
  const [only] = parts;
  if (joined === null && only !== undefined) return only;
  return { kind: joined === "OR" ? "or" : "and", parts };
}

function readTerm(tokens: Token[]): Condition {
  const token = tokens.shift();
  if (token === "NOT") return { kind: "not", part: readTerm(tokens) };
  if (token === "(") {
    const inner = readGroup(tokens);
    if (tokens.shift() !== ")") throw malformedQuery("expecting a right parentheses, found '<EOF>'");
    return inner;
  }
  if (token === undefined || typeof token === "string") throw malformedQuery(`unexpected token: '${token ?? "<EOF>"}'`);
  return { kind: "compare", test: token };
}

function firstLine(cause: unknown): string {
  return String(cause instanceof Error ? cause.message : cause).split("\n")[0] ?? "";
}
