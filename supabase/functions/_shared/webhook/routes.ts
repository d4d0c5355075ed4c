import { isSigned, looksSigned, parseEvents, type SignedMessage } from "../crm/hubspot/webhook.ts";
import { ACKNOWLEDGED, parseOutboundMessage } from "../crm/salesforce/webhook.ts";
import { WEBHOOK_LIMIT, type WebhookEvent } from "../crm/webhook.ts";
import { readBytes } from "../http/body.ts";
import type { Reply, Route } from "../http/handle.ts";
import { problem } from "../http/problem.ts";
import type { Logger } from "../log/logger.ts";
import type { WebhookSettings } from "./settings.ts";

export interface WebhookDeps {
  settings: () => WebhookSettings;
  /** The app's client secret, which signs; after a rotation the one before it as well, as long as it is taken. */
  hubspotSecrets: () => Promise<readonly string[]>;
  /** Keeps the events and wakes the connections; answers what became of each. */
  accept: (events: readonly WebhookEvent[]) => Promise<Record<string, number>>;
  /** The same for the connection with this address, or null where address and organisation do not belong together. */
  acceptMessage: (
    secret: string,
    organization: string,
    events: readonly WebhookEvent[],
  ) => Promise<Record<string, number> | null>;
  now: () => Date;
}

/** Cheap checks first, then the body, then the secret, then the database: a flood of nonsense gets no further than the first. */
export function webhookRoutes(deps: WebhookDeps): Route[] {
  return [
    { method: "POST", path: "/hubspot", answer: (request, _services, _id, log) => hubspot(deps, request, log) },
    { method: "POST", path: "/salesforce/*", answer: (request, _services, _id, log) => salesforce(deps, request, log) },
  ];
}

async function hubspot(deps: WebhookDeps, request: Request, log: Logger): Promise<Reply> {
  const { publicUrl, hubspotAppId } = deps.settings();
  const headers = {
    signature: request.headers.get("x-hubspot-signature-v3"),
    timestamp: request.headers.get("x-hubspot-request-timestamp"),
  };
  if (!looksSigned(headers, deps.now())) throw notSigned();
  const body = await readBytes(request, WEBHOOK_LIMIT);
  const url = `${publicUrl}/hubspot${new URL(request.url).search}`;
  const message = { method: request.method, url, body, ...headers };
  if (!(await isSignedWithOne(message, await deps.hubspotSecrets(), deps.now()))) throw notSigned();
  const events = parseEvents(body, hubspotAppId);
  if (events === null) throw problem(400, "invalid_json", "The body has to be a JSON array of events.");
  if (events.length > 0) log.info("webhook", { crm: "hubspot", ...(await deps.accept(events)) });
  // The same for every account, known or not.
  return { body: { received: true } };
}

async function isSignedWithOne(message: SignedMessage, secrets: readonly string[], now: Date): Promise<boolean> {
  const answers = await Promise.all(secrets.map((secret) => isSigned(message, secret, now)));
  return answers.includes(true);
}

async function salesforce(deps: WebhookDeps, request: Request, log: Logger): Promise<Reply> {
  const secret = /\/([0-9a-f]{64})\/?$/.exec(new URL(request.url).pathname)?.[1];
  if (secret === undefined) throw unknownAddress();
  const message = parseOutboundMessage(await readBytes(request, WEBHOOK_LIMIT));
  if (message === null) throw problem(400, "invalid_message", "The body has to be an outbound message of Salesforce.");
  const outcome = await deps.acceptMessage(secret, message.organizationId, message.events);
  if (outcome === null) throw unknownAddress();
  log.info("webhook", { crm: "salesforce", ...outcome });
  return new Response(ACKNOWLEDGED, { headers: { "content-type": "text/xml; charset=utf-8" } });
}

function notSigned() {
  return problem(401, "not_signed", "The message has no valid signature, or is older than five minutes.");
}

/** One answer for a wrong address and a wrong organisation. */
function unknownAddress() {
  return problem(404, "no_such_route", "There is nothing here.");
}
