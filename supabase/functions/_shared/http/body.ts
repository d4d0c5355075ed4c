import type { z } from "zod";
import { problem } from "./problem.ts";

export const BODY_LIMIT = 64 * 1024;

/** A GET speaks through its address, a POST through its body only: what is secret must not end in somebody's access log. */
export async function readInput<T>(request: Request, schema: z.ZodType<T>, limit = BODY_LIMIT): Promise<T> {
  const given =
    request.method === "GET" ? Object.fromEntries(new URL(request.url).searchParams) : await readJson(request, limit);
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const errors = result.error.issues.map(({ path, message }) => ({ field: path.join("."), message }));
  const detail = errors.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join("; ");
  throw problem(422, "invalid_input", detail, { extra: { errors } });
}

async function readJson(request: Request, limit: number): Promise<Record<string, unknown>> {
  const text = new TextDecoder().decode(await readBytes(request, limit));
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

/** The body as it was sent. Counts while reading: a length header can be missing or wrong. */
export async function readBytes(request: Request, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () => problem(413, "body_too_large", `The body may have ${limit / 1024} KiB at most.`);
  if (Number(request.headers.get("content-length") ?? 0) > limit) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = request.body.getReader();
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    size += chunk.value.byteLength;
    if (size > limit) {
      await reader.cancel();
      throw tooLarge();
    }
    chunks.push(chunk.value);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
