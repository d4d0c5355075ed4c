/**
 * What must never reach a log: by the name of the key, and by the look of the value where a secret hides inside a
 * sentence or an address.
 */
const SECRET_KEYS =
  /^(authorization|cookie|set-cookie|apikey|code|code_?verifier|browser_?key|state|password|client_?secret|secret|.*secret(_?key)?|.*_?tokens?|access_?token|refresh_?token|signature|x-dispatch-secret)$/i;

const SECRET_SHAPES: readonly [RegExp, string][] = [
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=!-]+/gi, "$1 [redacted]"],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, "[redacted]"],
  [/\bsb_secret_[\w-]+/g, "[redacted]"],
  [/\b00D\w{12,15}![\w.]+/g, "[redacted]"],
  [/\bpat-\w{2,4}-[\w-]+/g, "[redacted]"],
  // Refresh tokens of Salesforce and HubSpot.
  [/\b5Aep[\w.]{8,}/g, "[redacted]"],
  [/\b(?:na|eu|ap)\d-[0-9a-f]{4,8}(?:-[0-9a-f]{4,12}){2,}/gi, "[redacted]"],
  [/\b(Authorization|X-SFDC-Session|Cookie)(["']?\s*:\s*["']?)(?:\w+\s+)?[^\s"'&,;}]+/gi, "$1$2[redacted]"],
  [
    /\b(access_token|refresh_token|client_secret|code_verifier|oauth_token|code|state|token|secret|password|sessionId|api_?key|hapikey)(["']?\s*[=:]\s*["']?)[^\s"'&,;}]+/gi,
    "$1$2[redacted]",
  ],
  [/(:\/\/[^\s:/@]{1,100}:)[^\s@/]+@/g, "$1[redacted]@"],
];

const DEEPEST = 6;
/** Longer texts are whole answers of a CRM; their beginning is what helps. */
const LONGEST_TEXT = 2000;

export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (value === null || typeof value !== "object") return value;
  if (depth >= DEEPEST) return "[…]";
  if (value instanceof Date) return value;
  if (value instanceof Error) return redact(describeError(value), depth + 1);
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, isSecret(key, item) ? "[redacted]" : redact(item, depth + 1)]),
  );
}

export function redactText(text: string): string {
  const start = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
  return SECRET_SHAPES.reduce((clean, [shape, replacement]) => clean.replace(shape, replacement), start);
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-/i;

/** An error's `code` is a number or a short word that helps; a UUID or a longer text is likely an OAuth code. */
function isSecret(key: string, value: unknown): boolean {
  if (value === null || value === undefined) return false;
  if (/^(code|state)$/i.test(key)) return typeof value === "string" && (value.length > 40 || UUID.test(value));
  return SECRET_KEYS.test(key);
}

function describeError(error: Error): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  return { ...error, name, message, ...(stack ? { stack } : {}), ...(cause === undefined ? {} : { cause }) };
}
