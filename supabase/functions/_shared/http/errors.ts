import { CrmFailure } from "../crm/contract.ts";
import { DbFailure } from "../db/types.ts";
import { SettingsError } from "../settings.ts";
import { HttpProblem, type Problem, problem } from "./problem.ts";

interface Answer {
  status: number;
  code: string;
  /** Left out where the database's own sentence is meant for people (our PC… codes). */
  detail?: string;
  retryAfter?: number;
}

/** SQLSTATE → HTTP, longest match first: a whole code, else its class. */
const SQLSTATES: Record<string, Answer> = {
  PC001: { status: 404, code: "not_found" },
  PC002: { status: 403, code: "role_too_low" },
  PC003: { status: 400, code: "state_invalid" },
  PC004: { status: 422, code: "invalid_input" },
  PC005: { status: 409, code: "connection_not_usable" },
  PC006: { status: 409, code: "operation_running" },
  PC007: { status: 409, code: "lease_lost" },
  PC008: { status: 409, code: "changed_meanwhile" },
  PC009: { status: 409, code: "last_owner" },
  PC010: { status: 410, code: "invitation_invalid" },
  PC011: { status: 503, code: "not_configured" },
  "42501": { status: 403, code: "not_allowed", detail: "You may not do this." },
  "23505": { status: 409, code: "already_exists", detail: "There is such an entry already." },
  "23": { status: 422, code: "invalid_input", detail: "The values do not fit together." },
  "22": { status: 422, code: "invalid_input", detail: "A value has the wrong form." },
  "57014": { status: 503, code: "took_too_long", detail: "The database took too long. Try again.", retryAfter: 5 },
  connection: {
    status: 503,
    code: "database_unavailable",
    detail: "The database cannot be reached. Try again.",
    retryAfter: 5,
  },
  ...passing(["08", "40", "53", "57", "55P03"]),
};

function passing(classes: string[]): Record<string, Answer> {
  const answer = {
    status: 503,
    code: "try_again",
    detail: "The database is busy. Try again in a moment.",
    retryAfter: 2,
  };
  return Object.fromEntries(classes.map((code) => [code, answer]));
}

const CRM_STATUS = { transient: 503, rate_limited: 429, revoked: 409, rejected: 422 } as const;

/** null: not foreseen, so a fault of ours. */
export function toProblem(error: unknown): Problem | null {
  if (error instanceof HttpProblem) return error.problem;
  if (error instanceof CrmFailure) return fromCrm(error);
  if (error instanceof DbFailure) return fromDatabase(error);
  if (error instanceof SettingsError) return problem(503, "not_configured", error.message).problem;
  return null;
}

function fromCrm({ detail: { kind, code, userMessage, retryAfterMs, until } }: CrmFailure): Problem {
  const retryAfter = retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1000);
  const extra = { kind, ...(until === undefined ? {} : { until }) };
  return problem(CRM_STATUS[kind], `crm_${code.toLowerCase()}`, userMessage, { retryAfter, extra }).problem;
}

function fromDatabase(failure: DbFailure): Problem | null {
  const answer = SQLSTATES[failure.code] ?? SQLSTATES[failure.code.slice(0, 2)];
  if (answer === undefined) return null;
  const { status, code, detail, retryAfter } = answer;
  return problem(status, code, detail ?? failure.message, { retryAfter }).problem;
}
