import type { Server } from "node:http";
import { serve } from "@hono/node-server";
import { StartError } from "./start-error.ts";

export interface Listening {
  url: string;
  port: number;
  /** Answers as over the network, to a caller in this process who need not take that way. */
  answer(request: Request): Promise<Response>;
  stop(): Promise<void>;
}

type Fetch = Parameters<typeof serve>[0]["fetch"];

/** Listens on loopback only; port 0 takes any free port. */
export function listen(fetch: Fetch, port: number): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, port, hostname: "127.0.0.1" }, (info) => {
      server.off("error", refuse);
      resolve({
        url: `http://127.0.0.1:${info.port}`,
        port: info.port,
        answer: async (request) => (await fetch(request, {} as Parameters<Fetch>[1])) as Response,
        stop: () => close(server),
      });
    }) as Server;
    const refuse = (error: NodeJS.ErrnoException) => reject(startFailure(error, port));
    server.once("error", refuse);
  });
}

function startFailure(error: NodeJS.ErrnoException, port: number): StartError {
  if (error.code === "EADDRINUSE") {
    return new StartError(
      `Port ${port} is already in use; stop what listens there or choose another with --port.`,
      error,
    );
  }
  if (error.code === "EACCES")
    return new StartError(`Port ${port} may not be opened by this user; choose one above 1023.`, error);
  return new StartError(`The mock could not listen on port ${port}: ${error.message}.`, error);
}

function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeAllConnections();
  });
}
