import http from "node:http";
import type { Duplex } from "node:stream";
import { jwtVerify } from "jose";
import { messageOf } from "../errors.ts";
import { LOCAL_KEYS } from "../settings.ts";
import type { FunctionPool } from "./pool.ts";
import type { Worker } from "./worker.ts";

/** Hosted answers 504 when a function has sent no header within this time. */
const FIRST_RESPONSE_MS = 150_000;
const EXIT_NOTICE_MS = 250;
const PREFIX = "/functions/v1/";

export function createFunctionsRoute(pool: FunctionPool) {
  return async function route(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const name = functionName(request);
    const source = pool.find(name);
    if (!source) return refuse(response, 404, "NOT_FOUND", "Requested function was not found");
    if (source.verifyJwt && request.method !== "OPTIONS") {
      const problem = await checkJwt(request.headers.authorization);
      if (problem) return refuse(response, 401, "UNAUTHORIZED", problem);
    }
    try {
      const { worker, release } = await pool.acquire(name, source);
      response.once("close", release);
      forward(request, response, worker, name);
    } catch (error) {
      refuse(response, 503, "BOOT_ERROR", `Function failed to start (please check logs): ${messageOf(error)}`);
    }
  };
}

export async function upgradeFunction(
  pool: FunctionPool,
  request: http.IncomingMessage,
  socket: Duplex,
): Promise<void> {
  const name = functionName(request);
  const source = pool.find(name);
  if (!source || (source.verifyJwt && (await checkJwt(request.headers.authorization)))) {
    socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n");
    return;
  }
  const { worker, release } = await pool.acquire(name, source);
  socket.once("close", release);
  const upstream = http.request(target(request, worker.port));
  upstream.on("upgrade", (answer, other) => {
    const headers = Object.entries(answer.headers).map(([key, value]) => `${key}: ${value}`);
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join("\r\n")}\r\n\r\n`);
    other.pipe(socket).pipe(other);
  });
  upstream.on("error", () => socket.destroy());
  upstream.end();
}

function functionName(request: http.IncomingMessage): string {
  return (request.url ?? "").slice(PREFIX.length).split(/[/?#]/)[0] ?? "";
}

async function checkJwt(authorization: string | undefined): Promise<string | undefined> {
  const token = authorization?.match(/^Bearer\s+(.+)$/i)?.[1];
  if (!token) return "Missing authorization header";
  return jwtVerify(token, new TextEncoder().encode(LOCAL_KEYS.jwtSecret), { algorithms: ["HS256"] }).then(
    () => undefined,
    () => "Invalid JWT",
  );
}

function target(request: http.IncomingMessage, port: number): http.RequestOptions {
  return {
    host: "127.0.0.1",
    port,
    method: request.method,
    // The code sees /<name>/…, without the gateway's prefix.
    path: `/${(request.url ?? "").slice(PREFIX.length)}`,
    headers: {
      ...request.headers,
      "x-forwarded-host": request.headers.host ?? "",
      "x-forwarded-proto": "http",
      "x-forwarded-for": request.socket.remoteAddress ?? "",
    },
  };
}

function forward(request: http.IncomingMessage, response: http.ServerResponse, worker: Worker, name: string): void {
  const upstream = http.request(target(request, worker.port), (answer) => {
    clearTimeout(timer);
    response.writeHead(answer.statusCode ?? 502, asHosted(request, answer.headers));
    answer.pipe(response);
    answer.on("error", () => response.destroy());
  });
  const timer = setTimeout(() => {
    upstream.destroy();
    refuse(response, 504, "REQUEST_TIMEOUT", `Function "${name}" sent no response in time`);
  }, FIRST_RESPONSE_MS);
  upstream.on("error", async (error) => {
    clearTimeout(timer);
    if (response.headersSent) return void response.destroy();
    // The connection breaks a moment before the process is seen to end; who hears of it must find a new one.
    await Promise.race([worker.ended, new Promise((resolve) => setTimeout(resolve, EXIT_NOTICE_MS))]);
    refuse(response, 546, "WORKER_LIMIT", `Function "${name}" ended before it answered: ${messageOf(error)}`);
  });
  response.once("close", () => {
    clearTimeout(timer);
    upstream.destroy();
  });
  request.pipe(upstream);
}

/** Hosted does not let functions serve web pages: HTML becomes text. */
function asHosted(request: http.IncomingMessage, headers: http.IncomingHttpHeaders): http.OutgoingHttpHeaders {
  const type = headers["content-type"];
  if (request.method !== "GET" || !type?.startsWith("text/html")) return headers;
  return { ...headers, "content-type": type.replace("text/html", "text/plain") };
}

function refuse(response: http.ServerResponse, status: number, code: string, message: string): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { "content-type": "application/json", "access-control-allow-origin": "*" });
  response.end(JSON.stringify({ code, message, msg: message }));
}
