import { describe, expect, it } from "vitest";
import { ACKNOWLEDGED, parseOutboundMessage } from "./webhook.ts";

const ORG = "00D000000000001EAA";
const note = (id: string, type: string, record: string) =>
  `<Notification><Id>${id}</Id><sObject xsi:type="sf:${type}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>${record}</sf:Id><sf:Name>A &amp; B</sf:Name></sObject></Notification>`;
const message = (notes: string, head = "") => `<?xml version="1.0" encoding="UTF-8"?>${head}
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>
<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>${ORG}</OrganizationId><ActionId>04k000000000001AAA</ActionId>
<SessionId>00D!secret-session</SessionId><EnterpriseUrl>https://x</EnterpriseUrl><PartnerUrl>https://y</PartnerUrl>${notes}</notifications></soapenv:Body></soapenv:Envelope>`;
const parse = (text: string) => parseOutboundMessage(new TextEncoder().encode(text));
const [NOTE, OTHER] = ["04l000000000001AAA", "04l000000000002AAA"];
const [ACCOUNT, CONTACT] = ["001000000000001AAA", "003000000000001AAA"];

describe("an outbound message", () => {
  it("names its records, one or many", () => {
    expect(parse(message(note(NOTE, "Account", ACCOUNT)))).toEqual({
      organizationId: ORG,
      events: [{ key: `${ORG}:${NOTE}`, account: ORG, entity: "accounts", crmIds: [ACCOUNT], reason: "webhook" }],
    });
    const two = parse(message(note(NOTE, "Account", ACCOUNT) + note(OTHER, "Contact", CONTACT)));
    expect(two?.events.map(({ entity }) => entity)).toEqual(["accounts", "contacts"]);
  });

  it("is read without its session id", () => {
    expect(JSON.stringify(parse(message(note(NOTE, "Account", ACCOUNT))))).not.toContain("secret-session");
  });

  it("of other objects is taken and means nothing", () => {
    expect(parse(message(note(NOTE, "Invoice__c", "a00000000000001AAA")))?.events).toEqual([]);
  });

  it.each([
    ["a document type", message(note(NOTE, "Account", ACCOUNT), '<!DOCTYPE x [<!ENTITY a "b">]>')],
    ["an entity as an id", message(note(NOTE, "Account", "&xxe;"))],
    ["an id that is none", message(note(NOTE, "Account", "001' or 1=1"))],
    ["no notification", message("")],
    ["more than a hundred", message(note(NOTE, "Account", ACCOUNT).repeat(101))],
    ["JSON", '{"Envelope":{}}'],
    ["half of it", message(note(NOTE, "Account", ACCOUNT)).slice(0, 400)],
  ])("with %s is refused", (_, text) => {
    expect(parse(text)).toBeNull();
  });

  it("is answered with an acknowledgement in Salesforce's namespace", () => {
    expect(ACKNOWLEDGED).toContain(
      '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack>',
    );
  });
});
