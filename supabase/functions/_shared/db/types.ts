/** The database as the rest of the code sees it: text, parameters, rows. */
export interface Db {
  query<T>(text: string, params?: readonly unknown[]): Promise<T[]>;
  /** All or nothing; the inner `Db` is the transaction. */
  tx<T>(run: (db: Db) => Promise<T>): Promise<T>;
  /** A transaction as this user: row level security applies, and the database knows who acts. */
  asUser<T>(claims: UserClaims, run: (db: Db) => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

export interface UserClaims {
  sub: string;
  email?: string;
  role?: string;
}

/** Where a request came from, for the audit log. */
export interface CallerTrace {
  ip: string | null;
  userAgent: string | null;
}

/** What the database refused, by SQLSTATE. Codes that begin with PC are our own and carry a sentence for people. */
export class DbFailure extends Error {
  readonly code: string;
  readonly detail: string | null;
  readonly hint: string | null;

  constructor(failure: {
    code: string;
    message: string;
    detail?: string | null;
    hint?: string | null;
    cause?: unknown;
  }) {
    super(failure.message, { cause: failure.cause });
    this.name = "DbFailure";
    this.code = failure.code;
    this.detail = failure.detail ?? null;
    this.hint = failure.hint ?? null;
  }
}

export const FENCED = "PC007";

/** Another worker took the operation over, or it was cancelled: nothing more may be written. */
export function isFenced(error: unknown): boolean {
  return error instanceof DbFailure && error.code === FENCED;
}

/** Connection trouble, deadlock, serialisation, time-out, shutdown: the same call may work in a moment. */
const PASSING = /^(08|40|53|57|58|55P03)/;

export function isPassing(error: unknown): boolean {
  return error instanceof DbFailure && (PASSING.test(error.code) || error.code === "connection");
}
