import type { IncomingMessage, ServerResponse } from "node:http";
import type { z } from "zod";
import { writePermissions } from "./authorize.ts";
import { viewerOf } from "./channel.ts";
import type { Broadcast } from "./frames.ts";
import { restBroadcast } from "./payloads.ts";
import type { Services } from "./services.ts";
import { type Claims, TokenError } from "./tokens.ts";

/** Broadcasting without a WebSocket: `POST …/api/broadcast` and `POST …/api/broadcast/<topic>/events/<event>`. */
const PATH = /^\/realtime\/v1\/api\/broadcast(?:\/([^/]+)\/events\/([^/]+))?$/;
const MAX_BODY_BYTES = 3_000_000;
/** Browsers on any origin may broadcast; what they may do depends on their key. */
const CORS = { "access-control-allow-origin": "*" };
const PREFLIGHT = {
  ...CORS,
  "access-control-allow-methods": "POST",
  "access-control-allow-headers": "authorization, x-client-info, apikey, content-type",
};

interface OutgoingMessage {
  topic: string;
  isPrivate: boolean;
  broadcast: Broadcast;
}

interface RestRequest {
  url: URL;
  contentType: string;
  body: Buffer;
}

class RestError extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    super(`answered ${status}`);
    this.status = status;
    this.body = body;
  }
}

/** False when the request is for someone else. */
export function handleBroadcastRequest(services: Services, req: IncomingMessage, res: ServerResponse): boolean {
  const url = new URL(req.url ?? "/", "http://localhost");
  const path = PATH.exec(url.pathname);
  if (path === null || !(req.method === "POST" || req.method === "OPTIONS")) return false;
  if (req.method === "OPTIONS") {
    res.writeHead(204, PREFLIGHT).end();
    return true;
  }
  answer(services, req, url, path).then(
    () => res.writeHead(202, CORS).end(),
    (error: Error) => {
      const known = error instanceof RestError ? error : new RestError(500, { message: "Unknown error" });
      if (known !== error) services.log(`realtime: broadcast request failed: ${error.message}`);
      res.writeHead(known.status, { ...CORS, "content-type": "application/json" }).end(JSON.stringify(known.body));
    },
  );
  return true;
}

async function answer(services: Services, req: IncomingMessage, url: URL, path: RegExpExecArray): Promise<void> {
  const claims = await authenticate(services, req);
  const body = await readBody(req);
  const request = { url, contentType: req.headers["content-type"] ?? "", body };
  const [, topic, event] = path;
  const messages = topic && event ? [singleMessage(topic, event, request)] : batchMessages(request);
  await send(services, claims, messages);
}

async function authenticate(services: Services, req: IncomingMessage): Promise<Claims> {
  const bearer = /^bearer (\S+)$/i.exec(req.headers.authorization ?? "")?.[1];
  const apiKey = req.headers.apikey;
  try {
    return await services.verifyToken(bearer ?? (Array.isArray(apiKey) ? apiKey[0] : apiKey) ?? "");
  } catch (error) {
    if (error instanceof TokenError) throw new RestError(401, { message: "Unauthorized" });
    throw error;
  }
}

async function readBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw invalid({ payload: ["Payload size exceeds tenant limit"] });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function singleMessage(topic: string, event: string, request: RestRequest): OutgoingMessage {
  const isBinary = request.contentType.startsWith("application/octet-stream");
  if (!isBinary) parseJson(request.body);
  return {
    topic: decodeURIComponent(topic),
    isPrivate: request.url.searchParams.get("private") === "true",
    broadcast: {
      kind: "raw",
      event: decodeURIComponent(event),
      encoding: isBinary ? "binary" : "json",
      body: request.body,
    },
  };
}

function batchMessages(request: RestRequest): OutgoingMessage[] {
  const parsed = restBroadcast.safeParse(parseJson(request.body));
  if (!parsed.success) throw invalid({ messages: parsed.error.issues.map(describeIssue) });
  return parsed.data.messages.map(({ topic, event, payload, private: isPrivate }) => ({
    topic,
    isPrivate,
    broadcast: { kind: "json", payload: { type: "broadcast", event, payload } },
  }));
}

function describeIssue(issue: z.core.$ZodIssue): string {
  return `${issue.path.join(".")}: ${issue.message}`;
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new RestError(400, { message: "The body is not JSON" });
  }
}

function invalid(errors: Record<string, string[]>): RestError {
  return new RestError(422, { errors });
}

/** As hosted, the answer does not tell whether the sender may write to a private topic. */
async function send(services: Services, claims: Claims, messages: OutgoingMessage[]): Promise<void> {
  const allowed = new Map<string, boolean>();
  for (const { topic, isPrivate, broadcast } of messages) {
    if (isPrivate && !allowed.has(topic)) allowed.set(topic, await mayBroadcast(services, topic, claims));
    if (!isPrivate || allowed.get(topic)) services.topics.broadcast({ name: topic, isPrivate }, broadcast);
  }
}

async function mayBroadcast(services: Services, topic: string, claims: Claims): Promise<boolean> {
  try {
    return (await writePermissions(services.sql, topic, viewerOf(claims))).broadcast;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    services.log(`realtime: the policies of realtime.messages could not be checked for ${topic}: ${reason}`);
    return false;
  }
}
