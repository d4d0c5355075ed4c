import { createHash, createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { hubspot, salesforce } from "./support.ts";

interface Received {
  headers: Record<string, string | string[] | undefined>;
  body: string;
  status: number;
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** An address that keeps what it gets; `refusals` of the first messages are answered 503. */
async function receiver(refusals = 0) {
  const received: Received[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const status = received.length < refusals ? 503 : 200;
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString(), status });
      response.writeHead(status).end();
      for (const one of waiting) if (received.length >= one.count) one.resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  const messages = (count: number) =>
    new Promise<Received[]>((resolve) => {
      const done = () => resolve(received);
      if (received.length >= count) done();
      else waiting.push({ count, resolve: done });
    });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, messages };
}

const events = ({ body }: Received) => JSON.parse(body) as Record<string, unknown>[];

it("HubSpot sends each change as an event, signed in both versions with the client secret", async () => {
  const { mock } = await hubspot();
  const { url, messages } = await receiver();
  mock.control.knobs({ webhooks: { url, duplicates: false, outOfOrder: false, retryMs: 1 } });
  const [created] = mock.control.records([{ action: "create", type: "contacts", fields: { email: "a@b.example" } }]);
  const id = String(created?.id);
  mock.control.records([
    { action: "edit", type: "contacts", id, fields: { firstname: "Ada" } },
    { action: "delete", type: "contacts", id },
  ]);
  const [message] = await messages(1);
  if (message === undefined) throw new Error("nothing came");
  expect(events(message).map((event) => [event.subscriptionType, event.propertyName, event.changeSource])).toEqual([
    ["contact.creation", undefined, "CRM_UI"],
    ["contact.propertyChange", "firstname", "CRM_UI"],
    ["contact.deletion", undefined, "CRM_UI"],
  ]);
  expect(events(message).every((event) => event.objectId === Number(id) && event.portalId === 24_680_135)).toBe(true);
  const { headers, body } = message;
  const timestamp = String(headers["x-hubspot-request-timestamp"]);
  const v3 = createHmac("sha256", "local-only-secret").update(`POST${url}${body}${timestamp}`).digest("base64");
  expect(headers["x-hubspot-signature-v3"]).toBe(v3);
  expect(headers["x-hubspot-signature"]).toBe(createHash("sha256").update(`local-only-secret${body}`).digest("hex"));
});

it("HubSpot says which changes an app made", async () => {
  const { mock, client } = await hubspot();
  const { url, messages } = await receiver();
  mock.control.knobs({ webhooks: { url, duplicates: false, outOfOrder: false, retryMs: 1 } });
  await client.crm.companies.basicApi.create({ properties: { name: "By app" }, associations: [] });
  const [message] = await messages(1);
  const [event] = message === undefined ? [] : events(message);
  expect(event).toMatchObject({
    subscriptionType: "company.creation",
    changeSource: "INTEGRATION",
    sourceId: "1357911",
  });
});

it("HubSpot sends at most a hundred events in a message, twice and turned round when told so", async () => {
  const { mock } = await hubspot({ records: 150 });
  const { url, messages } = await receiver();
  mock.control.knobs({ webhooks: { url, duplicates: true, outOfOrder: true, retryMs: 1 } });
  mock.control.records([{ action: "touch", type: "contacts", count: 120, fields: { jobtitle: "Job {n}" } }]);
  const sizes = (await messages(4)).map((message) => events(message).length);
  expect(sizes.sort((a, b) => a - b)).toEqual([20, 20, 100, 100]);
  const [first] = await messages(1);
  const ids = first === undefined ? [] : events(first).map((event) => Number(event.eventId));
  expect(ids).toEqual([...ids].sort((a, b) => b - a));
});

it("HubSpot sends again until it is answered", async () => {
  const { mock } = await hubspot();
  const { url, messages } = await receiver(2);
  mock.control.knobs({ webhooks: { url, duplicates: false, outOfOrder: false, retryMs: 1 } });
  mock.control.records([{ action: "create", type: "companies", fields: { name: "Again" } }]);
  const received = await messages(3);
  expect(received.map(({ status }) => status)).toEqual([503, 503, 200]);
  expect(received.map((message) => events(message)[0]?.attemptNumber)).toEqual([0, 1, 2]);
});

it("Salesforce sends outbound messages of the rows that were kept", async () => {
  const { mock, connection } = await salesforce();
  const { url, messages } = await receiver();
  mock.control.knobs({ webhooks: { url, duplicates: false, outOfOrder: false, retryMs: 1 } });
  const { id } = await connection.sobject("Account").create({ Name: "Told" });
  const [message] = await messages(1);
  expect(message?.body).toContain(`<sf:Id>${id}</sf:Id>`);
  expect(message?.body).toContain(`<OrganizationId>${mock.control.state().organization_id}</OrganizationId>`);
  expect(message?.headers["content-type"]).toContain("text/xml");
});
