import { type CountryCode, parsePhoneNumberFromString } from "libphonenumber-js";
import type { Json } from "../json.ts";

/** Why a value does not fit, as the end of a sentence that begins with the field's name. */
export class Misfit {
  readonly code: string;
  readonly why: string;

  constructor(code: string, why: string) {
    this.code = code;
    this.why = why;
  }
}

/** Postgres stores neither NUL nor half of a surrogate pair; the rest of the text stays as it is, trimmed. */
export function cleanText(text: string): string {
  return text.replaceAll("\u0000", "").replace(HALF_PAIR, "\ufffd").trim();
}

const HALF_PAIR = /\p{Surrogate}/gu;

/** Text, or null for what carries none. */
export function toText(raw: unknown): string | null | Misfit {
  if (raw === null || raw === undefined) return null;
  if (typeof raw === "string") return cleanText(raw) || null;
  if (typeof raw === "number") return Number.isFinite(raw) ? String(raw) : null;
  if (typeof raw === "boolean" || typeof raw === "bigint") return String(raw);
  if (raw instanceof Date) return Number.isNaN(raw.getTime()) ? null : raw.toISOString();
  if (Array.isArray(raw)) return listText(raw);
  return new Misfit("not_text", "holds an object where a text is expected");
}

function listText(raw: readonly unknown[]): string | null | Misfit {
  const parts: string[] = [];
  for (const item of raw) {
    const text = toText(item);
    if (text instanceof Misfit) return text;
    if (text !== null) parts.push(text);
  }
  return parts.join("; ") || null;
}

export function toEmail(raw: unknown): string | null | Misfit {
  const text = toText(raw);
  if (typeof text !== "string") return text;
  const address = text.toLowerCase();
  return EMAIL.test(address) ? address : new Misfit("not_an_email", `is "${excerpt(text)}", not an e-mail address`);
}

const EMAIL = /^[^\s@]+@[^\s@]+$/;

/** E.164 where the number says its country (or the connection has a default one), else the trimmed text. */
export function toPhone(raw: unknown, country?: string): string | null | Misfit {
  const text = toText(raw);
  if (typeof text !== "string") return text;
  if (!country && !text.startsWith("+")) return text;
  const parsed = parsePhoneNumberFromString(text, country as CountryCode | undefined);
  if (!parsed?.isValid()) return text;
  return parsed.ext ? `${parsed.number} x${parsed.ext}` : parsed.number;
}

const HOST = /^([a-z][a-z0-9+.-]*:)?(\/\/)?([^/@?#]*@)?(www\.)?([^/:?#]*)[\s\S]*$/;
const DOMAIN = /^[^\s@/]+\.[^\s@/.]+$/;
const DOMAIN_MAX = 253;

/** The host a company is known by, exactly as private.normalize_domain makes it; null when there is none. */
export function toDomain(raw: unknown): string | null | Misfit {
  const text = toText(raw);
  if (typeof text !== "string") return text;
  const host = text.toLowerCase().replace(HOST, "$5").replace(/\.+$/, "");
  if (!DOMAIN.test(host) || host.length > DOMAIN_MAX) return null;
  return host === text ? host : toDomain(host);
}

export function toCurrency(raw: unknown): string | null | Misfit {
  const text = toText(raw);
  if (typeof text !== "string") return text;
  const code = text.toUpperCase();
  return /^[A-Z]{3}$/.test(code) ? code : new Misfit("not_a_currency", `is "${excerpt(text)}", not a currency code`);
}

export function toChoice(raw: unknown, choices: readonly string[]): string | null | Misfit {
  const text = toText(raw);
  if (typeof text !== "string") return text;
  const wanted = text.toLowerCase();
  if (choices.includes(wanted)) return wanted;
  return new Misfit("not_a_choice", `is "${excerpt(text)}", which is none of ${choices.join(", ")}`);
}

/** For messages: enough of a value to recognise it. */
export function excerpt(text: string, length = 60): string {
  const points = [...text];
  return points.length <= length ? text : `${points.slice(0, length - 1).join("")}…`;
}

export type Canonical = Json | Misfit;
