import type { z } from "zod";
import { problem } from "./problem.ts";

export const BODY_LIMIT = 64 * 1024;

/** A GET speaks through its address, a POST through its body only: what is secret must not end in somebody's access log. */
export async function readInput<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  const given =
    request.method === "GET" ? Object.fromEntries(new URL(request.url).searchParams) : await readJson(request);
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const errors = result.error.issues.map(({ path, message }) => ({ field: path.join("."), message }));
  const detail = errors.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join("; ");
  throw problem(422, "invalid_input", detail, { extra: { errors } });
}

async function readJson(request: Request): Promise<Record<string, unknown>> {
  const text = await readLimited(request);
  if (text.trim() === "") return {};
  const value = parse(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw problem(400, "invalid_json", "The body has to be a JSON object.");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw problem(400, "invalid_json", "The body is not valid JSON.");
  }
}

/** Counts while reading: a length header can be missing or wrong. */
async function readLimited(request: Request): Promise<string> {
  if (request.body === null) return "";
  const decoder = new TextDecoder();
  const parts: string[] = [];
  let size = 0;
  const reader = request.body.getReader();
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    size += chunk.value.byteLength;
    if (size > BODY_LIMIT) {
      await reader.cancel();
      throw problem(413, "body_too_large", `The body may have ${BODY_LIMIT / 1024} KiB at most.`);
    }
    parts.push(decoder.decode(chunk.value, { stream: true }));
  }
  return parts.join("") + decoder.decode();
}
