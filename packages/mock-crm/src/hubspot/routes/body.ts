import type { Context } from "hono";
import { z } from "zod";
import { invalid } from "../errors.ts";
import type { HubSpotEnv } from "../portal.ts";

/** Reads a JSON body against its shape. */
export async function readBody<S extends z.ZodType>(context: Context<HubSpotEnv>, shape: S): Promise<z.infer<S>> {
  const parsed = shape.safeParse(parse(await context.req.text()));
  if (parsed.success) return parsed.data;
  throw invalid(`Invalid input JSON: ${z.prettifyError(parsed.error)}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(`Invalid input JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

export const propertiesShape = z.record(z.string(), z.unknown());
