import { z } from "zod";
import type { EntityType } from "../contract.ts";
import type { WebhookEvent } from "../webhook.ts";

/** A signed message is taken this long before and after its time. */
const WINDOW_MS = 5 * 60_000;

/** What HubSpot decodes in the address before it signs it. */
const DECODED: Readonly<Record<string, string>> = {
  "%3A": ":",
  "%2F": "/",
  "%3F": "?",
  "%40": "@",
  "%21": "!",
  "%24": "$",
  "%27": "'",
  "%28": "(",
  "%29": ")",
  "%2A": "*",
  "%2C": ",",
  "%3B": ";",
};

export interface SignedMessage {
  method: string;
  /** As HubSpot called it, not as a proxy passed it on. */
  url: string;
  body: Uint8Array<ArrayBuffer>;
  signature: string | null;
  timestamp: string | null;
}

/** Whether the headers can be right at all. Costs nothing, so it comes before everything else. */
export function looksSigned({ signature, timestamp }: Pick<SignedMessage, "signature" | "timestamp">, now: Date) {
  if (signature === null || !/^[A-Za-z0-9+/]{43}=$/.test(signature)) return false;
  return timestamp !== null && /^\d{13}$/.test(timestamp) && Math.abs(now.getTime() - Number(timestamp)) <= WINDOW_MS;
}

/** Version 3 of HubSpot's signature over the bytes as they came. WebCrypto compares in constant time. */
export async function isSigned(message: SignedMessage, secret: string, now: Date): Promise<boolean> {
  if (secret === "" || !looksSigned(message, now)) return false;
  const encoder = new TextEncoder();
  const head = encoder.encode(message.method + decodedUrl(message.url));
  const tail = encoder.encode(message.timestamp ?? "");
  const signed = new Uint8Array(head.length + message.body.length + tail.length);
  signed.set(head);
  signed.set(message.body, head.length);
  signed.set(tail, head.length + message.body.length);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["verify"]);
  const signature = Uint8Array.from(atob(message.signature ?? ""), (character) => character.charCodeAt(0));
  return crypto.subtle.verify("HMAC", key, signature, signed);
}

export function decodedUrl(url: string): string {
  return url.replace(/%[0-9A-Fa-f]{2}/g, (code) => DECODED[code.toUpperCase()] ?? code);
}

const id = z.union([z.number(), z.string()]).transform(String);
/** A record's. Anything else would be asked of HubSpot, and refused with all that is asked beside it. */
const recordId = id.refine((one) => /^\d{1,20}$/.test(one));

const eventSchema = z.object({
  eventId: id.default(""),
  subscriptionId: id.default(""),
  portalId: id,
  occurredAt: id.default(""),
  subscriptionType: z.string(),
  objectId: recordId.optional(),
  objectTypeId: z.string().optional(),
  propertyName: z.string().optional(),
  changeSource: z.string().optional(),
  sourceId: z.string().optional(),
  primaryObjectId: recordId.optional(),
  mergedObjectIds: z.array(recordId).default([]),
  newObjectId: recordId.optional(),
  associationType: z.string().optional(),
  fromObjectId: recordId.optional(),
  toObjectId: recordId.optional(),
  fromObjectTypeId: z.string().optional(),
  toObjectTypeId: z.string().optional(),
});
type HubSpotEvent = z.infer<typeof eventSchema>;

const ENTITIES: Readonly<Record<string, EntityType>> = {
  contact: "contacts",
  company: "accounts",
  deal: "opportunities",
  "0-1": "contacts",
  "0-2": "accounts",
  "0-3": "opportunities",
};

/**
 * The records that a message names. Events of other objects, of kinds we do not know and echoes of what this app wrote are
 * left out: what an unknown kind means, the next sweep finds. null: not HubSpot's format.
 */
export function parseEvents(body: Uint8Array, ownAppId: string | null): WebhookEvent[] | null {
  const events = z.array(z.unknown()).safeParse(parseJson(body));
  if (!events.success) return null;
  return events.data.flatMap((one) => {
    const event = eventSchema.safeParse(one);
    return event.success && !isEcho(event.data, ownAppId) ? named(event.data) : [];
  });
}

/** A restored or merged record is more than what we wrote, whoever caused it. */
function isEcho({ changeSource, sourceId, subscriptionType }: HubSpotEvent, ownAppId: string | null): boolean {
  if (ownAppId === null || changeSource !== "INTEGRATION" || sourceId !== ownAppId) return false;
  return /\.(propertyChange|creation|deletion|associationChange)$/.test(subscriptionType);
}

function named(event: HubSpotEvent): WebhookEvent[] {
  const [object = "", kind = ""] = event.subscriptionType.split(".");
  const reason = kind === "privacyDeletion" ? "privacy_deletion" : "webhook";
  const sides = kind === "associationChange" ? associated(event) : [subject(event, object)];
  return sides.flatMap(({ entity, ids }) => {
    const crmIds = [...new Set(ids.filter((one) => one !== undefined && one !== ""))] as string[];
    if (entity === undefined || crmIds.length === 0) return [];
    return [{ key: `${keyOf(event)}:${entity}`, account: event.portalId, entity, crmIds, reason }];
  });
}

interface Side {
  entity: EntityType | undefined;
  ids: (string | undefined)[];
}

function subject(event: HubSpotEvent, object: string): Side {
  const { objectId, primaryObjectId, mergedObjectIds, newObjectId } = event;
  const entity = ENTITIES[object === "object" ? (event.objectTypeId ?? "") : object];
  return { entity, ids: [objectId, primaryObjectId, newObjectId, ...mergedObjectIds] };
}

/** Which of the two carries the relation here is the merge's business: both are fetched. */
function associated(event: HubSpotEvent): Side[] {
  const [from = "", to = ""] = (event.associationType ?? "").toLowerCase().split("_to_");
  return [
    { entity: ENTITIES[event.fromObjectTypeId ?? from], ids: [event.fromObjectId] },
    { entity: ENTITIES[event.toObjectTypeId ?? to], ids: [event.toObjectId] },
  ];
}

/** eventId alone is not unique. */
function keyOf(event: HubSpotEvent): string {
  const { portalId, subscriptionId, eventId, occurredAt, objectId, propertyName, fromObjectId, toObjectId } = event;
  return JSON.stringify([
    portalId,
    subscriptionId,
    eventId,
    occurredAt,
    objectId,
    propertyName,
    fromObjectId,
    toObjectId,
  ]);
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return null;
  }
}
