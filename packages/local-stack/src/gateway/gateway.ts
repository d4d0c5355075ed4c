import http from "node:http";
import type { Duplex } from "node:stream";
import type { FunctionPool } from "../functions/pool.ts";
import { createFunctionsRoute, upgradeFunction } from "../functions/route.ts";

export interface GatewayOptions {
  port: number;
  restPort: number;
  functions: FunctionPool;
}

/** Answers a request and says so, or leaves it. */
export type HttpHandler = (request: http.IncomingMessage, response: http.ServerResponse) => boolean;

export interface Gateway {
  server: http.Server;
  /** Hands /realtime/v1 over; Realtime takes the WebSocket upgrades of the server by itself. */
  serveRealtime(handler: HttpHandler): void;
  close(): Promise<void>;
}

type Route = (request: http.IncomingMessage, response: http.ServerResponse) => void | Promise<void>;

/** The one address of the project: sends each path to its service, as hosted's gateway does. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const rest = createProxy(options.restPort);
  let realtime: HttpHandler = () => false;
  const routes: readonly (readonly [string, Route])[] = [
    ["/functions/v1/", createFunctionsRoute(options.functions)],
    ["/rest/v1", rest],
    ["/auth/v1", rest],
    ["/realtime/v1", (request, response) => void (realtime(request, response) || notFound(request, response))],
  ];
  const server = http.createServer((request, response) => {
    const route = routes.find(([prefix]) => request.url?.startsWith(prefix))?.[1] ?? notFound;
    Promise.resolve(route(request, response)).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  server.on("upgrade", (request: http.IncomingMessage, socket: Duplex) => {
    if (request.url?.startsWith("/functions/v1/")) {
      upgradeFunction(options.functions, request, socket).catch(() => socket.destroy());
    } else if (!request.url?.startsWith("/realtime/v1/")) {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
    }
  });
  server.keepAliveTimeout = 30_000;
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, "127.0.0.1", resolve);
  });
  return {
    server,
    serveRealtime: (handler) => {
      realtime = handler;
    },
    close: () => closeServer(server),
  };
}

function closeServer(server: http.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function createProxy(port: number): Route {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  return (request, response) => {
    if (request.method === "OPTIONS" && request.headers["access-control-request-method"])
      return preflight(request, response);
    const { url: path, method, headers } = request;
    const upstream = http.request({ agent, host: "127.0.0.1", port, path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, { "access-control-allow-origin": "*", ...answer.headers });
      answer.pipe(response);
    });
    upstream.on("error", () => {
      if (response.headersSent) response.destroy();
      else notAvailable(response);
    });
    response.once("close", () => upstream.destroy());
    request.pipe(upstream);
  };
}

function preflight(request: http.IncomingMessage, response: http.ServerResponse): void {
  response.writeHead(200, {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT",
    "access-control-allow-headers": request.headers["access-control-request-headers"] ?? "*",
    "access-control-max-age": "3600",
    "content-length": "0",
  });
  response.end();
}

function notFound(_: http.IncomingMessage, response: http.ServerResponse): void {
  response.writeHead(404, { "content-type": "application/json", "access-control-allow-origin": "*" });
  response.end(JSON.stringify({ message: "no Route matched with those values" }));
}

function notAvailable(response: http.ServerResponse): void {
  response.writeHead(503, { "content-type": "application/json", "access-control-allow-origin": "*" });
  response.end(JSON.stringify({ message: "name resolution failed" }));
}
