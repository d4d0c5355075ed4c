import { type Message, type WebhookKnob, WebhookSender } from "../shared/webhook-sender.ts";
import { makeId } from "./ids.ts";
import type { Row } from "./row.ts";

interface Notification {
  id: string;
  object: string;
  recordId: string;
}

const SENT = new Set(["Account", "Contact", "Opportunity"]);

/** Outbound messages of every change to the three objects, up to a hundred notifications in one. */
export class OutboundMessages {
  readonly sender: WebhookSender<Notification>;
  private readonly organizationId: string;
  private next = 1;

  constructor(organizationId: string, knob: () => WebhookKnob | null) {
    this.organizationId = organizationId;
    this.sender = new WebhookSender(knob, (notifications) => this.message(notifications));
  }

  changed(object: string, row: Row): void {
    if (!SENT.has(object)) return;
    this.sender.happened({ id: makeId("04l", this.next), object, recordId: row.Id });
    this.next += 1;
  }

  private message(notifications: readonly Notification[]): Message {
    const entries = notifications.map(
      ({ id, object, recordId }) =>
        `<Notification><Id>${id}</Id><sObject xsi:type="sf:${object}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>${recordId}</sf:Id></sObject></Notification>`,
    );
    const body = `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>${this.organizationId}</OrganizationId><ActionId>${makeId("04k", 1)}</ActionId><SessionId>00D-mock-session-of-outbound-messages</SessionId><EnterpriseUrl>https://mock.my.salesforce.com/services/Soap/c/62.0</EnterpriseUrl><PartnerUrl>https://mock.my.salesforce.com/services/Soap/u/62.0</PartnerUrl>${entries.join("")}</notifications></soapenv:Body></soapenv:Envelope>`;
    return { headers: { "content-type": "text/xml; charset=UTF-8", soapaction: '""' }, body };
  }
}
