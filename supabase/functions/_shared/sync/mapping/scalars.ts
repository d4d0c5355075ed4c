import { excerpt, Misfit, toText } from "./text.ts";

const MONEY_SCALE = 2;
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** Never NaN, never infinite, no negative zero. */
export function toNumber(raw: unknown): number | null | Misfit {
  if (typeof raw === "number") return finite(raw, String(raw));
  if (typeof raw === "boolean") return raw ? 1 : 0;
  const text = toText(raw);
  if (typeof text !== "string") return text;
  const plain = text.replace(/(?<=\d),(?=\d{3}(\D|$))/g, "");
  if (!NUMBER.test(plain)) return new Misfit("not_a_number", `is "${excerpt(text)}", not a number`);
  return finite(Number(plain), text);
}

function finite(value: number, text: string): number | Misfit {
  if (!Number.isFinite(value)) return new Misfit("not_a_number", `is "${excerpt(text)}", not a number`);
  return value === 0 ? 0 : value;
}

export function toDecimal(raw: unknown, range?: readonly [number, number]): number | null | Misfit {
  const value = toNumber(raw);
  return typeof value === "number" ? within(roundTo(value, MONEY_SCALE), range) : value;
}

export function toInteger(raw: unknown, range?: readonly [number, number]): number | null | Misfit {
  const value = toNumber(raw);
  return typeof value === "number" ? within(roundTo(value, 0), range) : value;
}

/** Half away from zero, as Postgres rounds numeric. */
export function roundTo(value: number, scale: number): number {
  const magnitude = Math.abs(value);
  if (magnitude >= 1e15) return value;
  const rounded = Number(`${Math.round(Number(`${magnitude}e${scale}`))}e-${scale}`);
  if (Number.isNaN(rounded) || rounded === 0) return 0;
  return value < 0 ? -rounded : rounded;
}

function within(value: number, range: readonly [number, number] | undefined): number | Misfit {
  if (range === undefined || (value >= range[0] && value <= range[1])) return value;
  return new Misfit("out_of_range", `is ${value}; only ${range[0]} to ${range[1]} fits`);
}

const TRUE = new Set(["true", "t", "yes", "y", "1"]);
const FALSE = new Set(["false", "f", "no", "n", "0"]);

export function toBoolean(raw: unknown): boolean | null | Misfit {
  if (typeof raw === "boolean") return raw;
  const text = toText(raw);
  if (typeof text !== "string") return text;
  const word = text.toLowerCase();
  if (TRUE.has(word)) return true;
  if (FALSE.has(word)) return false;
  return new Misfit("not_a_boolean", `is "${excerpt(text)}", neither yes nor no`);
}

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?$/i;
const EPOCH_MS = /^-?\d{10,15}$/;

/** A calendar day. An instant becomes the day it has in UTC. */
export function toDate(raw: unknown): string | null | Misfit {
  if (typeof raw === "string" && DAY.test(raw.trim())) return realDay(raw.trim());
  const instant = toDateTime(raw);
  return typeof instant === "string" ? instant.slice(0, 10) : instant;
}

/** An instant in UTC with milliseconds. A day alone is its midnight. */
export function toDateTime(raw: unknown): string | null | Misfit {
  if (typeof raw === "number") return isoInstant(raw, String(raw));
  const text = toText(raw);
  if (typeof text !== "string") return text;
  if (EPOCH_MS.test(text)) return isoInstant(Number(text), text);
  if (DAY.test(text)) {
    const day = realDay(text);
    return typeof day === "string" ? `${day}T00:00:00.000Z` : day;
  }
  if (!INSTANT.test(text)) return notADate(text);
  const day = realDay(text.slice(0, 10));
  return day instanceof Misfit ? day : isoInstant(Date.parse(withZone(text)), text);
}

/** What the CRMs leave out: the colon in +0000, and the zone where they mean UTC. */
function withZone(text: string): string {
  const iso = text.toUpperCase().replace(" ", "T").replace(",", ".");
  if (iso.endsWith("Z")) return iso;
  const zone = /([+-]\d{2}):?(\d{2})?$/.exec(iso.slice(10));
  return zone ? `${iso.slice(0, iso.length - zone[0].length)}${zone[1]}:${zone[2] ?? "00"}` : `${iso}Z`;
}

function realDay(text: string): string | Misfit {
  const milliseconds = Date.parse(`${text}T00:00:00.000Z`);
  const exists = !Number.isNaN(milliseconds) && new Date(milliseconds).toISOString().startsWith(text);
  return exists && !text.startsWith("0000") ? text : notADate(text);
}

function isoInstant(milliseconds: number, text: string): string | Misfit {
  const instant = new Date(milliseconds);
  const year = instant.getUTCFullYear();
  return year >= 1 && year <= 9999 ? instant.toISOString() : notADate(text);
}

function notADate(text: string): Misfit {
  return new Misfit("not_a_date", `is "${excerpt(text)}", not a date`);
}
