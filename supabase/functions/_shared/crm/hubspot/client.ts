import { BatchApi } from "@hubspot/api-client/lib/codegen/crm/associations/v4/index.js";
import {
  BasicApi,
  createConfiguration,
  BatchApi as ObjectBatchApi,
  type RequestContext,
  ResponseContext,
  SearchApi,
  ServerConfiguration,
  wrapHttpLibrary,
} from "@hubspot/api-client/lib/codegen/crm/objects/index.js";
import { OwnersApi } from "@hubspot/api-client/lib/codegen/crm/owners/index.js";
import { PipelinesApi } from "@hubspot/api-client/lib/codegen/crm/pipelines/index.js";
import { CoreApi } from "@hubspot/api-client/lib/codegen/crm/properties/index.js";
import { type CallFamily, CrmFailure, type CrmSession } from "../contract.ts";
import { malformed } from "../errors.ts";
import type { Wire, WireResponse } from "../wire.ts";
import { CRM } from "./errors.ts";

/**
 * The official client's API classes on our wire. Its `Client` keeps retries and limits in one place for the whole
 * process, replaced by every new client, and knows no time-out: two connections in one worker would change each other.
 */
export interface HubSpotClient {
  objects: BasicApi;
  search: SearchApi;
  batch: ObjectBatchApi;
  associations: BatchApi;
  owners: OwnersApi;
  pipelines: PipelinesApi;
  properties: CoreApi;
}

export function connect(session: CrmSession, wire: Wire): HubSpotClient {
  const configuration = createConfiguration({
    baseServer: new ServerConfiguration(session.instanceUrl, {}),
    authMethods: { oauth2: { accessToken: session.accessToken } },
    httpApi: wrapHttpLibrary({
      send: async (request) => toResponse(await wire({ ...toWire(request), gate: session.gate })),
    }),
  });
  return {
    objects: new BasicApi(configuration),
    search: new SearchApi(configuration),
    batch: new ObjectBatchApi(configuration),
    associations: new BatchApi(shared(configuration)),
    owners: new OwnersApi(shared(configuration)),
    pipelines: new PipelinesApi(shared(configuration)),
    properties: new CoreApi(shared(configuration)),
  };
}

/** Every API of the client is generated from one template with its own copy of these types; at run time they are equal. */
function shared<T>(configuration: unknown): T {
  return configuration as T;
}

/** Runs a call of the client. What the wire throws passes through; anything else means an answer it could not read. */
export async function call<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof CrmFailure ? error : malformed(CRM, error instanceof Error ? error.name : error);
  }
}

/** The POSTs that come to the same when they are sent twice. What creates records is not among them. */
const REPEATABLE = /\/search$|\/batch\/(read|update|upsert|archive)$|\/associations\/.*\/batch\//;

const FAMILIES: readonly [RegExp, CallFamily][] = [
  [/\/search$/, "search"], // counted apart from all the rest
  [/\/batch\/read$/, "read"],
];

function toWire(request: RequestContext) {
  const url = request.getUrl();
  const method = request.getHttpMethod();
  const body = request.getBody();
  const { pathname } = new URL(url);
  const reading = method === "GET";
  return {
    method,
    url,
    headers: request.getHeaders(),
    body: body === undefined ? undefined : String(body),
    repeatable: reading || REPEATABLE.test(pathname),
    family: reading ? ("read" as const) : (FAMILIES.find(([path]) => path.test(pathname))?.[1] ?? "write"),
  };
}

function toResponse({ status, headers, text }: WireResponse): ResponseContext {
  return new ResponseContext(status, headers, {
    text: () => Promise.resolve(text),
    binary: () => Promise.resolve(Buffer.from(text)),
  });
}
