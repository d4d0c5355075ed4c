import { redactText } from "../../log/redact.ts";

/** What fits on a screen; a CRM can answer with a whole page. */
const LONGEST = 1000;

/**
 * The border for sentences that people will read in the database: a CRM's words may carry a token, a header or an address
 * with credentials, whatever path they came by.
 */
export function shownMessage(text: string): string {
  const clean = redactText(text).replace(/\s+/g, " ").trim();
  return clean.length > LONGEST ? `${clean.slice(0, LONGEST - 1)}…` : clean;
}
