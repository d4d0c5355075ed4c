import { XMLParser } from "fast-xml-parser";
import { z } from "zod";
import type { EntityType } from "../contract.ts";
import type { WebhookEvent } from "../webhook.ts";

/**
 * An outbound message: SOAP without a signature. Only ids are read; its session id, which would open the org, is dropped with the
 * rest. The parser expands no entities and refuses a document type.
 */
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  removeNSPrefix: true,
  processEntities: false,
  parseTagValue: false,
  parseAttributeValue: false,
  isArray: (name) => name === "Notification",
});

const text = z.string().regex(/^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$/);
const message = z.object({
  Envelope: z.object({
    Body: z.object({
      notifications: z.object({
        OrganizationId: text,
        Notification: z
          .array(z.object({ Id: text, sObject: z.object({ Id: text, "@type": z.string() }) }))
          .min(1)
          .max(100),
      }),
    }),
  }),
});

const ENTITIES: Readonly<Record<string, EntityType>> = {
  Account: "accounts",
  Contact: "contacts",
  Opportunity: "opportunities",
};

export interface OutboundMessage {
  organizationId: string;
  events: WebhookEvent[];
}

/** null: not an outbound message. */
export function parseOutboundMessage(body: Uint8Array): OutboundMessage | null {
  const xml = new TextDecoder().decode(body);
  if (/<!(?:DOCTYPE|ENTITY)/i.test(xml)) return null;
  const parsed = message.safeParse(parseXml(xml));
  if (!parsed.success) return null;
  const { OrganizationId: organizationId, Notification: notifications } = parsed.data.Envelope.Body.notifications;
  const events = notifications.flatMap(({ Id, sObject }): WebhookEvent[] => {
    const entity = ENTITIES[sObject["@type"].replace(/^.*:/, "")];
    if (entity === undefined) return [];
    return [
      { key: `${organizationId}:${Id}`, account: organizationId, entity, crmIds: [sObject.Id], reason: "webhook" },
    ];
  });
  return { organizationId, events };
}

/** Salesforce repeats a message for a day until it gets this. */
export const ACKNOWLEDGED =
  '<?xml version="1.0" encoding="UTF-8"?>' +
  '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>' +
  '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>' +
  "</soapenv:Body></soapenv:Envelope>";

function parseXml(xml: string): unknown {
  try {
    return parser.parse(xml);
  } catch {
    return null;
  }
}
