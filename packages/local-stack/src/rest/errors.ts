/** PostgREST's table from SQLSTATE to HTTP status; @supabase/lite knows only part of it. First match wins. */
const STATUS_BY_SQLSTATE: readonly (readonly [RegExp, number])[] = [
  [/^08/, 503],
  [/^09/, 500],
  [/^0[LP]/, 403],
  [/^2350[35]$/, 409],
  [/^25006$/, 405],
  [/^25/, 500],
  [/^28/, 403],
  [/^2D/, 500],
  [/^3[89B]/, 500],
  [/^40/, 500],
  [/^53400$/, 500],
  [/^53/, 503],
  [/^5[4578]/, 500],
  [/^F0|^HV/, 500],
  [/^P0001$/, 400],
  [/^P0/, 500],
  [/^42P17$/, 500],
];

/** Lite answers these as PostgREST does, with messages of its own making. */
const LEFT_TO_LITE = /^(PGRST|PT\d{3}|42501|42P01|42883|42703)$/;

interface DatabaseError {
  code: string;
  message: string;
  detail?: string;
  hint?: string;
}

function isDatabaseError(error: unknown): error is DatabaseError {
  return error instanceof Error && /^[0-9A-Z]{5}$/.test(String((error as { code?: unknown }).code));
}

export function statusOf(code: string, message: string): number {
  if (code === "21000") return message.endsWith("requires a WHERE clause") ? 400 : 500;
  return STATUS_BY_SQLSTATE.find(([pattern]) => pattern.test(code))?.[1] ?? 400;
}

/** Lite obeys, as PostgREST does, an error raised with SQLSTATE "PGRST" that says its own status and body. */
export function answerWith(status: number, body: Record<string, unknown>, cause?: unknown): Error {
  return Object.assign(new Error(JSON.stringify(body), { cause }), {
    code: "PGRST",
    detail: JSON.stringify({ status, headers: {} }),
  });
}

/** The same error in the form that makes Lite answer with PostgREST's status and body. */
export function asPostgrestError(error: unknown): unknown {
  if (!isDatabaseError(error) || LEFT_TO_LITE.test(error.code)) return error;
  const { code, message, detail = null, hint = null } = error;
  return answerWith(statusOf(code, message), { code, message, details: detail, hint }, error);
}
