import { type Context, Hono } from "hono";
import { z } from "zod";
import { knobsPatchSchema } from "../shared/knobs.ts";
import {
  ControlError,
  type MockControl,
  recordActionSchema,
  resetSchema,
  type TokenAction,
  tokenActionSchema,
} from "./control.ts";

const recordsSchema = z.union([z.object({ actions: z.array(recordActionSchema) }), recordActionSchema]);
const pageSchema = z.object({
  type: z.string(),
  from: z.coerce.number().int().min(0).default(0),
  count: z.coerce.number().int().min(1).max(10_000).default(100),
});

const BASE = "/__control";

export function isControl(request: Request): boolean {
  return new URL(request.url).pathname.startsWith(`${BASE}/`);
}

/** The levers of a running mock, for tests, benches and demos; never slowed or broken by the knobs themselves. */
export function controlRoutes(control: MockControl): Hono {
  const app = new Hono().basePath(BASE);
  app.onError(answerError);
  app.post("/knobs", async (context) => context.json(control.knobs(knobsPatchSchema.parse(await body(context)))));
  app.post("/reset", async (context) => {
    control.reset(resetSchema.parse(await body(context)));
    return context.json(control.state());
  });
  app.post("/records", async (context) => {
    const request = recordsSchema.parse(await body(context));
    return context.json({ results: control.records("actions" in request ? request.actions : [request]) });
  });
  app.get("/records", (context) => {
    const { type, from, count } = pageSchema.parse(context.req.query());
    return context.json({ records: control.list(type, from, count) });
  });
  app.post("/tokens", async (context) => {
    const { action } = tokenActionSchema.parse(await body(context));
    return context.json(TOKEN_ACTIONS[action](control));
  });
  app.get("/counters", (context) => context.json(control.counters()));
  app.get("/state", (context) => context.json(control.state()));
  return app;
}

const TOKEN_ACTIONS: Record<TokenAction, (control: MockControl) => object> = {
  issue: (control) => {
    const { token, expiresAt } = control.issueToken();
    return { access_token: token, expires_at: new Date(expiresAt).toISOString() };
  },
  expire: (control) => {
    control.expireTokens();
    return {};
  },
  revoke: (control) => {
    control.revokeTokens();
    return {};
  },
};

async function body(context: Context): Promise<unknown> {
  const text = await context.req.text();
  if (text === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new ControlError("The body is not JSON.");
  }
}

function answerError(error: Error, context: Context): Response {
  if (error instanceof ControlError) return context.json({ error: error.message }, 400);
  if (error instanceof z.ZodError) return context.json({ error: z.prettifyError(error) }, 400);
  return context.json({ error: `The mock failed: ${error.message}` }, 500);
}
