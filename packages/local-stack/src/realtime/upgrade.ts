import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { Connection } from "./connection.ts";
import { isProtocolVersion, type ProtocolVersion } from "./frames.ts";
import type { Services } from "./services.ts";
import { TokenError } from "./tokens.ts";

const PREFIX = "/realtime/v1/";
const PATH = `${PREFIX}websocket`;
const MAX_FRAME_BYTES = 5_000_000;
const GOING_AWAY = 1001;
/** How long a client may take to say goodbye. */
const GOODBYE_MS = 500;

const STATUS_TEXT = { 401: "Unauthorized", 403: "Forbidden", 404: "Not Found" } as const;

class UpgradeRefused extends Error {
  readonly status: keyof typeof STATUS_TEXT;

  constructor(status: keyof typeof STATUS_TEXT, message: string) {
    super(message);
    this.status = status;
  }
}

/** Takes over the upgrades below the realtime path and leaves all others to the server's other listeners. */
export function acceptConnections(server: Server, services: Services): () => Promise<void> {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES });
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    if (!url.pathname.startsWith(PREFIX)) return;
    const onError = (error: Error) => services.log(`realtime: handshake failed: ${error.message}`);
    socket.on("error", onError);
    checkHandshake(services, request, url)
      .then(({ version, apiToken }) => {
        socket.off("error", onError);
        sockets.handleUpgrade(request, socket, head, (ws) => new Connection(services, ws, version, apiToken));
      })
      .catch((error: Error) => refuse(services, socket, error));
  };
  server.on("upgrade", onUpgrade);
  return async () => {
    server.off("upgrade", onUpgrade);
    for (const client of sockets.clients) client.close(GOING_AWAY, "Realtime is stopping");
    const impatience = setTimeout(() => {
      for (const client of sockets.clients) client.terminate();
    }, GOODBYE_MS);
    await new Promise((resolve) => sockets.close(resolve));
    clearTimeout(impatience);
  };
}

async function checkHandshake(services: Services, request: IncomingMessage, url: URL) {
  if (url.pathname !== PATH) throw new UpgradeRefused(404, "Not Found");
  const version = url.searchParams.get("vsn") ?? "1.0.0";
  if (!isProtocolVersion(version)) throw new UpgradeRefused(403, `Protocol version ${version} is not supported`);
  const header = request.headers["x-api-key"] ?? request.headers.apikey;
  const apiToken = (Array.isArray(header) ? header[0] : header) ?? url.searchParams.get("apikey") ?? "";
  await services.verifyToken(apiToken);
  return { version: version satisfies ProtocolVersion, apiToken };
}

function refuse(services: Services, socket: Duplex, error: Error): void {
  const status = error instanceof UpgradeRefused ? error.status : 401;
  if (!(error instanceof UpgradeRefused || error instanceof TokenError)) services.log(`realtime: ${error.message}`);
  const body = JSON.stringify({ error: error.message });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_TEXT[status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
