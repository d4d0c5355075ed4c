import { parseDay } from "../planning/time/days.ts";

export type CellValue = string | number | boolean | string[];

/** What a cell means, or the sentence that says why it means nothing. */
export type CellReader = (text: string) => { value: CellValue } | { wrong: string };

/** Printed characters, tabs and line ends only; a cell that looks like a formula is text and stays so. */
const CONTROL = /(?![\t\n\r])\p{Cc}/u;
/** What stands for a letter that was read in the wrong encoding. */
const LOST = /[\uFFFD\p{Cs}]/u;

/** The sentence that says why these characters cannot stay, if one cannot. */
export function unfit(text: string): string | null {
  if (LOST.test(text)) return "A character in it was lost: the file was not read as what it is. Save it as UTF-8.";
  return CONTROL.test(text) ? "There is a character in it that cannot be printed." : null;
}

export const text =
  (most: number): CellReader =>
  (given) =>
    [...given].length <= most ? { value: given } : { wrong: `This may have ${most} characters at most.` };

export const email: CellReader = (given) =>
  /^[^\s@]+@[^\s@]+$/.test(given) && given.length <= 255
    ? { value: given.toLowerCase() }
    : { wrong: `"${short(given)}" is no e-mail address.` };

export const day: CellReader = (given) =>
  parseDay(given) === null ? { wrong: `"${short(given)}" is no day. Write it as 2026-11-21.` } : { value: given };

export interface Range {
  from: number;
  to: number;
  whole?: boolean;
  /** The least itself is not allowed. */
  above?: boolean;
}

export const number =
  ({ from, to, whole = false, above = false }: Range): CellReader =>
  (given) => {
    const value = /^-?\d{1,9}(\.\d{1,9})?$/.test(given) ? Number(given) : Number.NaN;
    const inside = (above ? value > from : value >= from) && value <= to;
    if (inside && (!whole || Number.isInteger(value))) return { value };
    const kind = whole ? "a whole number" : "a number such as 0.5";
    return {
      wrong: `"${short(given)}" is not ${kind} ${above ? `above ${from} and up to` : `from ${from} to`} ${to}.`,
    };
  };

export const oneOf =
  (words: readonly string[]): CellReader =>
  (given) => {
    const word = given.toLowerCase();
    return words.includes(word) ? { value: word } : { wrong: `"${short(given)}" is none of ${words.join(", ")}.` };
  };

const YES = ["yes", "true", "1", "x"];
const NO = ["no", "false", "0"];

export const yesNo: CellReader = (given) => {
  const word = given.toLowerCase();
  if (YES.includes(word)) return { value: true };
  return NO.includes(word) ? { value: false } : { wrong: `"${short(given)}" is neither yes nor no.` };
};

/** Words between semicolons. */
export const list: CellReader = (given) => ({
  value: given
    .split(";")
    .map((part) => part.trim())
    .filter((part) => part !== ""),
});

const short = (given: string) => (given.length > 40 ? `${given.slice(0, 40)}…` : given);
