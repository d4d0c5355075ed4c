import type { SimplePublicObject } from "@hubspot/api-client/lib/codegen/crm/objects/models/SimplePublicObject.js";
import { forOneRecord, type WriteError } from "../batch.ts";
import type { WriteResult } from "../contract.ts";
import { malformed } from "../errors.ts";
import { CRM } from "./errors.ts";
import { errorDetails, existingIdIn, readRefusal } from "./refusals.ts";

/** An answer to a batch: what was written in any order, and with 207 what was not. */
export interface BatchAnswer<R> {
  results?: readonly R[];
  errors?: readonly BatchError[];
}

export interface BatchError {
  category?: string;
  message?: string;
  errors?: unknown;
  context?: Record<string, string[]>;
}

export type WrittenObject = Pick<SimplePublicObject, "id" | "properties" | "updatedAt" | "objectWriteTraceId">;

export interface Reading<W, R> {
  /** By what a result and an error name the write they belong to. */
  namesOf: (write: W) => readonly string[];
  namesIn: (result: R) => readonly (string | undefined)[];
  done: (write: W, result: R) => WriteResult;
  refused: (write: W, error: WriteError) => WriteResult;
}

/** One result per write. An error that names nobody speaks of every write that is not accounted for. */
export function readBatch<W, R>(
  writes: readonly W[],
  answer: BatchAnswer<R>,
  { namesOf, namesIn, done, refused }: Reading<W, R>,
): WriteResult[] {
  if (!Array.isArray(answer.results)) throw malformed(CRM, "a batch answer without results");
  const results = byName(answer.results as readonly R[], namesIn);
  const errors = byName(answer.errors ?? [], namesInError);
  const known = new Set(writes.flatMap(namesOf));
  const nameless = (answer.errors ?? []).find((error) => !namesInError(error).some((name) => known.has(name)));
  return writes.map((write) => {
    const names = namesOf(write);
    const result = firstOf(results, names);
    if (result !== undefined) return done(write, result);
    const error = firstOf(errors, names) ?? nameless;
    return refused(write, error === undefined ? unaccounted() : toError(error));
  });
}

function namesInError({ context }: BatchError): string[] {
  return Object.values(context ?? {}).flat();
}

function byName<T>(items: readonly T[], namesIn: (item: T) => readonly (string | undefined)[]): Map<string, T> {
  return new Map(items.flatMap((item) => namesIn(item).flatMap((name) => (name === undefined ? [] : [[name, item]]))));
}

function firstOf<T>(items: ReadonlyMap<string, T>, names: readonly string[]): T | undefined {
  const name = names.find((candidate) => items.has(candidate));
  return name === undefined ? undefined : items.get(name);
}

function toError({ category, message = "", errors }: BatchError): WriteError {
  const details = errorDetails.safeParse(errors);
  const error = readRefusal({ category: category ?? "", message, errors: details.data ?? [] });
  return { ...error, cause: { code: category, message, existingId: existingIdIn(message) } };
}

function unaccounted(): WriteError {
  return forOneRecord(malformed(CRM, "a batch answer without a word about one of its records").detail);
}

/** The record that stands in the way of a new one. */
export function existingId({ cause }: WriteError): string | null {
  const id = typeof cause === "object" && cause !== null && "existingId" in cause ? cause.existingId : null;
  return typeof id === "string" ? id : null;
}
