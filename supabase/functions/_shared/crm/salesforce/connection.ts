import { PassThrough } from "node:stream";
import { Connection } from "jsforce/lib/connection.js";
import { OAuth2 } from "jsforce/lib/oauth2.js";
import { Transport } from "jsforce/lib/transport.js";
import type { HttpRequest, HttpResponse } from "jsforce/lib/types/index.js";
import { StreamPromise } from "jsforce/lib/util/promise.js";
import type { CallGate, CrmSession, Environment } from "../contract.ts";
import { CrmFailure } from "../contract.ts";
import { malformed } from "../errors.ts";
import type { Wire } from "../wire.ts";
import { CRM } from "./errors.ts";

/**
 * jsforce with our wire underneath. Its own transport retries five times with growing pauses, waits half an hour for an
 * answer and follows redirects; its own refresh forgets rotated tokens and has no end on a constant 401. So it gets an
 * access token and an instance only: refreshing happens above, under a lock.
 */
export interface SalesforceSettings {
  clientId: string;
  loginUrl: string;
  sandboxLoginUrl: string;
  apiVersion: string;
}

export function connect(session: CrmSession, settings: SalesforceSettings, wire: Wire): Connection {
  const connection = new Connection({
    instanceUrl: session.instanceUrl,
    accessToken: session.accessToken,
    version: settings.apiVersion, // the library's default is years old
  });
  connection._transport = new WireTransport(wire, session.gate);
  return connection;
}

export function oauthClient(
  settings: SalesforceSettings,
  wire: Wire,
  request: { environment: Environment; clientSecret?: string; redirectUri?: string },
): OAuth2 {
  const client = new OAuth2({
    loginUrl: request.environment === "sandbox" ? settings.sandboxLoginUrl : settings.loginUrl,
    clientId: settings.clientId,
    clientSecret: request.clientSecret,
    redirectUri: request.redirectUri,
  });
  client._transport = new WireTransport(wire);
  return client;
}

/** Runs a call of the library. What the wire throws passes through; anything else means an answer it could not read. */
export async function call<T>(run: () => PromiseLike<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof CrmFailure ? error : malformed(CRM, error);
  }
}

class WireTransport extends Transport {
  readonly #wire: Wire;
  readonly #gate: CallGate | undefined;

  constructor(wire: Wire, gate?: CallGate) {
    super();
    this.#wire = wire;
    this.#gate = gate;
  }

  override httpRequest(request: HttpRequest): StreamPromise<HttpResponse> {
    return StreamPromise.create<HttpResponse>(() => ({
      stream: new PassThrough(), // nobody reads it: answers are buffered
      promise: this.#send(request),
    }));
  }

  async #send(request: HttpRequest): Promise<HttpResponse> {
    const { status, headers, text } = await this.#wire({
      method: request.method,
      url: request.url,
      headers: request.headers as Record<string, string> | undefined,
      body: request.body == null ? undefined : String(request.body),
      repeatable: request.method !== "POST", // a POST creates, all else names what it is about
      family: request.method === "GET" ? "read" : "write",
      gate: this.#gate,
    });
    return { statusCode: status, headers, body: text };
  }
}
