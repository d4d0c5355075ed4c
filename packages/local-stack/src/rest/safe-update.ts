import { parse } from "libpg-query";

/**
 * Hosted loads the C library `safeupdate` into API sessions: UPDATE and DELETE without WHERE fail, in functions and
 * triggers too. A server without that library can still tell us what ran: auto_explain reports every statement, nested
 * ones included, as an INFO message to the session. The gateway reads those before it commits and rolls back.
 * Not equal: the statement runs before it is refused, so a function's own exception handler cannot catch the refusal.
 */
export const REPORT_EVERY_STATEMENT = {
  "auto_explain.log_min_duration": "0",
  "auto_explain.log_nested_statements": "on",
  "auto_explain.log_level": "info",
  "auto_explain.log_format": "json",
} as const;

export interface ServerNotice {
  severity?: string;
  message?: string;
  where?: string;
}

/** A statement that ran. That of a function with an SQL-standard body (`begin atomic`) is reported without its text. */
export type Reported = { text: string } | { functionName: string };

export class UnsafeStatement extends Error {
  readonly code = "21000";
}

/** The statement, when the notice is auto_explain's report of something that may update or delete. */
export function reportedStatement(notice: ServerNotice): Reported | undefined {
  const message = notice.message ?? "";
  if (!message.startsWith("duration: ") || !/"Operation": "(Update|Delete)"/.test(message)) return undefined;
  const { "Query Text": text } = JSON.parse(message.slice(message.indexOf("{"))) as { "Query Text"?: string };
  if (text) return { text };
  const functionName = notice.where?.match(/^SQL function "(.+)" statement \d+$/m)?.[1];
  return functionName === undefined ? undefined : { functionName };
}

export function isStatementReport(notice: ServerNotice): boolean {
  return notice.severity === "INFO" && (notice.message ?? "").startsWith("duration: ");
}

/**
 * Throws what safeupdate would have thrown for one of the statements.
 * @param definitionsOf the `create function` of every function of that name with an SQL-standard body
 */
export async function refuseWithoutWhere(
  statements: readonly Reported[],
  definitionsOf: (functionName: string) => Promise<string[]>,
): Promise<void> {
  const texts = new Set<string>();
  for (const statement of statements) {
    const found = "text" in statement ? [statement.text] : await definitionsOf(statement.functionName);
    for (const text of found) texts.add(text);
  }
  for (const text of texts) {
    const verb = findWithoutWhere(await parse(text));
    if (verb) throw new UnsafeStatement(`${verb} requires a WHERE clause`);
  }
}

const VERBS: Record<string, string> = { UpdateStmt: "UPDATE", DeleteStmt: "DELETE" };

function findWithoutWhere(node: unknown): string | undefined {
  if (typeof node !== "object" || node === null) return undefined;
  for (const [key, value] of Object.entries(node)) {
    const verb = VERBS[key];
    if (verb && !(value as { whereClause?: unknown }).whereClause) return verb;
    const nested = findWithoutWhere(value);
    if (nested) return nested;
  }
  return undefined;
}
