import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { decodedUrl, isSigned, parseEvents, type SignedMessage } from "./webhook.ts";

/** Published by HubSpot (secret, body, addresses), computed independently for version 3. */
const SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";
const BODY =
  '[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]';
const bytes = (text: string) => new TextEncoder().encode(text);
const vector: SignedMessage = {
  method: "POST",
  url: "https://www.example.com/webhook_uri",
  body: bytes(BODY),
  timestamp: "1564113600000",
  signature: "DxmVAjFNa2xfF3YgQjdZP6TNcok9k1oaH7UXombPtvw=",
};
const at = (ms: number) => new Date(1_564_113_600_000 + ms);
const signed = (body: string, secret = SECRET): SignedMessage => ({
  ...vector,
  body: bytes(body),
  signature: createHmac("sha256", secret).update(`POST${vector.url}${body}${vector.timestamp}`).digest("base64"),
});

describe("HubSpot's signature, version 3", () => {
  it("is recognised in the vector", async () => {
    expect(await isSigned(vector, SECRET, at(1_000))).toBe(true);
  });

  it.each([
    [
      "decoded by the sender",
      "https://www.example.com/hook?tenant=a b&x=1",
      "oEaiWK071v/q+YB4PkGS2wNVi/VIFVPWtNDqmaL0Iss=",
    ],
    [
      "%20 as it travelled",
      "https://www.example.com/hook?tenant=a%20b&x=1",
      "+e2qTgDNm013tpnk+MqkAzZ7eTIqzz4aGbVRjj6KreU=",
    ],
  ])("covers the query, %s", async (_, url, signature) => {
    const message = { method: "POST", url, body: bytes("[]"), timestamp: "1700000000000", signature };
    const now = new Date(1_700_000_000_000);
    expect(await isSigned(message, SECRET, now)).toBe(true);
  });

  it("is over the address with the characters decoded that HubSpot decodes, and no others", () => {
    expect(decodedUrl("https://x.example/a?u=https%3A%2F%2Fy%3Fq%40%21%24%27%28%29%2A%2c%3B&v=%20%26%3D%25")).toBe(
      "https://x.example/a?u=https://y?q@!$'()*,;&v=%20%26%3D%25",
    );
  });

  const forged: [string, Partial<SignedMessage>, string?][] = [
    ["another body", { body: bytes(BODY.replace("123,", "124,")) }],
    ["the same JSON written differently", { body: bytes(JSON.stringify(JSON.parse(BODY), null, 1)) }],
    ["another address", { url: "https://www.example.com/other" }],
    ["another method", { method: "PUT" }],
    ["another time", { timestamp: "1564113600001" }],
    ["a signature cut short", { signature: "DxmVAjFNa2xfF3YgQjdZP6TNcok9k1oaH7UXombPtv" }],
    ["a signature in hex", { signature: "0f199502314d6b6c5f177620423759" }],
    ["no signature", { signature: null }],
    ["no time", { timestamp: null }],
    ["a time that is no number", { timestamp: "1564113600000.0" }],
    ["another secret", {}, "zzzzzzzz"],
    ["no secret configured", {}, ""],
  ];
  it.each(forged)("is refused with %s", async (_, change, secret = SECRET) => {
    expect(await isSigned({ ...vector, ...change }, secret, at(0))).toBe(false);
  });

  it.each([
    [-300_000, true],
    [300_000, true],
    [-300_001, false],
    [300_001, false],
  ])("counts five minutes in both directions: %i ms → %s", async (ms, expected) => {
    expect(await isSigned(vector, SECRET, at(ms))).toBe(expected);
  });

  it("is over bytes, whatever they mean", async () => {
    expect(await isSigned(signed("not json"), SECRET, at(0))).toBe(true);
  });
});

describe("events", () => {
  const base = { eventId: 9, subscriptionId: 1, portalId: 7, occurredAt: 5, objectId: 11, changeSource: "CRM_UI" };
  const parse = (...events: object[]) => parseEvents(bytes(JSON.stringify(events)), "54321");
  const named = (...events: object[]) => parse(...events)?.map(({ entity, crmIds }) => [entity, ...crmIds]);

  it.each([
    [{ subscriptionType: "contact.creation" }, [["contacts", "11"]]],
    [{ subscriptionType: "company.propertyChange", propertyName: "name" }, [["accounts", "11"]]],
    [{ subscriptionType: "deal.deletion" }, [["opportunities", "11"]]],
    [{ subscriptionType: "deal.restore" }, [["opportunities", "11"]]],
    [{ subscriptionType: "object.creation", objectTypeId: "0-2" }, [["accounts", "11"]]],
    [
      { subscriptionType: "contact.merge", primaryObjectId: 11, mergedObjectIds: [12, 13], newObjectId: 14 },
      [["contacts", "11", "14", "12", "13"]],
    ],
    [
      {
        subscriptionType: "contact.associationChange",
        associationType: "CONTACT_TO_COMPANY",
        fromObjectId: 11,
        toObjectId: 20,
      },
      [
        ["contacts", "11"],
        ["accounts", "20"],
      ],
    ],
    [{ subscriptionType: "ticket.creation" }, []],
    [{ subscriptionType: "object.creation", objectTypeId: "2-99" }, []],
    [{ subscriptionType: "deal.somethingNew" }, [["opportunities", "11"]]],
  ])("%j name their records", (event, expected) => {
    expect(named({ ...base, ...event })).toEqual(expected);
  });

  it("of a person who is to be forgotten say so", () => {
    expect(parse({ ...base, subscriptionType: "contact.privacyDeletion" })?.[0]).toMatchObject({
      reason: "privacy_deletion",
      account: "7",
    });
  });

  it("that only echo what this app wrote are left out, a merge by it is not", () => {
    const own = { ...base, changeSource: "INTEGRATION", sourceId: "54321" };
    expect(named({ ...own, subscriptionType: "contact.propertyChange" })).toEqual([]);
    expect(named({ ...own, sourceId: "999", subscriptionType: "contact.propertyChange" })).toHaveLength(1);
    expect(named({ ...own, subscriptionType: "contact.merge" })).toHaveLength(1);
  });

  it("have one key when they come again, and different ones for different changes", () => {
    const change = { ...base, subscriptionType: "contact.propertyChange", propertyName: "email" };
    const keys = parse(change, { ...change, attemptNumber: 3 }, { ...change, propertyName: "phone" })?.map(
      ({ key }) => key,
    );
    expect(keys?.[0]).toBe(keys?.[1]);
    expect(keys?.[0]).not.toBe(keys?.[2]);
  });

  it("that cannot be read do not spoil the others; what is no array is no message", () => {
    expect(named({ nonsense: true }, { ...base, subscriptionType: "contact.creation" })).toEqual([["contacts", "11"]]);
    const odd = ["", "-1", "1 OR 2", "a\u0000b", "9".repeat(5_000)].map((objectId) => ({
      ...base,
      objectId,
      subscriptionType: "contact.creation",
    }));
    expect(named(...odd, { ...base, subscriptionType: "contact.creation" })).toEqual([["contacts", "11"]]);
    expect(parseEvents(bytes('{"a":1}'), null)).toBeNull();
    expect(parseEvents(bytes("[[["), null)).toBeNull();
  });
});
