import { createHmac } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { WEBHOOK_LIMIT, type WebhookEvent } from "../crm/webhook.ts";
import { handle } from "../http/handle.ts";
import { createLogger } from "../log/logger.ts";
import { remembered } from "./remember.ts";
import { webhookRoutes } from "./routes.ts";

const NOW = 1_700_000_000_000;
const SECRET = "client-secret";
const PUBLIC = "https://hooks.example.com/crm-webhook";
const ADDRESS = "ab".repeat(32);
const ORG = "00D000000000001EAA";
const EVENT = {
  eventId: 1,
  subscriptionId: 2,
  portalId: 3,
  occurredAt: NOW,
  subscriptionType: "contact.creation",
  objectId: 4,
};

let accepted: WebhookEvent[];
let asked: number;
let secrets: string[];
let log: string[];
let send: (request: Request) => Promise<Response>;

beforeEach(() => {
  accepted = [];
  asked = 0;
  secrets = [SECRET];
  log = [];
  const take = async (events: readonly WebhookEvent[]) => {
    accepted.push(...events);
    return { accepted: events.length };
  };
  const routes = webhookRoutes({
    settings: () => ({ publicUrl: PUBLIC, hubspotAppId: null }),
    hubspotSecrets: async () => {
      asked += 1;
      return secrets;
    },
    accept: take,
    acceptMessage: async (secret, organization, events) => {
      asked += 1;
      return secret === ADDRESS && organization === ORG ? take(events) : null;
    },
    now: () => new Date(NOW),
  });
  const unused = () => Promise.reject(new Error("not for webhooks"));
  send = handle("crm-webhook", routes, {
    authenticate: unused,
    healthSecret: () => Promise.reject(new Error("not asked")),
    dispatchSecret: unused,
    newRequestId: () => "request-1",
    log: createLogger({ write: (line) => log.push(line), now: () => new Date(NOW) }, {}),
  });
});

/** As it arrives behind the platform's gateway: another host and path than the one that was signed. */
function hubspot(
  body: string,
  change: { secret?: string; time?: number; query?: string; headers?: Record<string, string> } = {},
) {
  const time = String(change.time ?? NOW);
  const query = change.query ?? "";
  const signed = `POST${PUBLIC}/hubspot${query}${body}${time}`;
  const signature = createHmac("sha256", change.secret ?? SECRET)
    .update(signed)
    .digest("base64");
  return new Request(`http://edge-runtime.internal:9000/crm-webhook/hubspot${query}`, {
    method: "POST",
    headers: { "x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": time, ...change.headers },
    body,
  });
}

const outbound = (secret: string, organization = ORG) =>
  new Request(`http://edge-runtime.internal:9000/crm-webhook/salesforce/${secret}`, {
    method: "POST",
    body: `<Envelope xmlns:xsi="x"><Body><notifications><OrganizationId>${organization}</OrganizationId><SessionId>SESSION-ID</SessionId><Notification><Id>04l000000000001AAA</Id><sObject xsi:type="sf:Account"><sf:Id>001000000000001AAA</sf:Id></sObject></Notification></notifications></Body></Envelope>`,
  });

describe("HubSpot's address", () => {
  it("takes what is signed for the public address", async () => {
    const response = await send(hubspot(JSON.stringify([EVENT])));
    expect([response.status, await response.json()]).toEqual([200, { received: true }]);
    expect(accepted).toMatchObject([{ account: "3", entity: "contacts", crmIds: ["4"] }]);
  });

  it("keeps the query as it came", async () => {
    expect((await send(hubspot("[]", { query: "?b=2&a=1" }))).status).toBe(200);
  });

  it("refuses what is old or not even shaped like a signature before it asks for the secret", async () => {
    expect((await send(hubspot("[]", { time: NOW - 301_000 }))).status).toBe(401);
    expect((await send(hubspot("[]", { headers: { "x-hubspot-signature-v3": "x" } }))).status).toBe(401);
    expect(asked).toBe(0);
  });

  it("takes what is signed with the secret before this one, as long as that is taken", async () => {
    secrets = ["new-secret", SECRET];
    expect((await send(hubspot("[]"))).status).toBe(200);
    expect((await send(hubspot("[]", { secret: "new-secret" }))).status).toBe(200);
    secrets = ["new-secret"];
    expect((await send(hubspot("[]"))).status).toBe(401);
  });

  it("refuses a forger, and takes nothing", async () => {
    expect((await send(hubspot(JSON.stringify([EVENT]), { secret: "guess" }))).status).toBe(401);
    expect(accepted).toEqual([]);
  });

  it("refuses more than a mebibyte, whether it says so or not", async () => {
    const large = "x".repeat(WEBHOOK_LIMIT + 1);
    expect((await send(hubspot(large))).status).toBe(413);
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
    });
    const { headers, url } = hubspot("[]");
    const init = { method: "POST", headers, body: stream, duplex: "half" };
    expect((await send(new Request(url, init as RequestInit))).status).toBe(413);
    expect(asked).toBe(0);
  });

  it("takes POST only, and says what cannot be read", async () => {
    expect((await send(new Request("http://x/crm-webhook/hubspot"))).status).toBe(405);
    expect((await send(hubspot("{}"))).status).toBe(400);
  });
});

describe("an address of Salesforce", () => {
  it("acknowledges what its organisation sends", async () => {
    const response = await send(outbound(ADDRESS));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toContain("text/xml");
    expect(await response.text()).toContain("<Ack>true</Ack>");
    expect(accepted).toMatchObject([{ entity: "accounts", crmIds: ["001000000000001AAA"] }]);
  });

  it("answers a guess and a wrong organisation alike, a shapeless guess without asking", async () => {
    const answers = await Promise.all([send(outbound("cd".repeat(32))), send(outbound(ADDRESS, "00D000000000002EAA"))]);
    const bodies = await Promise.all(answers.map((answer) => answer.text()));
    expect(answers.map(({ status }) => status)).toEqual([404, 404]);
    expect(bodies[0]).toBe(bodies[1]);
    expect(asked).toBe(2);
    expect((await send(outbound("short"))).status).toBe(404);
    expect(asked).toBe(2);
  });

  it("is in no log and no answer, nor is the session id", async () => {
    const answers = [await send(outbound(ADDRESS)), await send(outbound("cd".repeat(32)))];
    const said = [...log, ...(await Promise.all(answers.map((answer) => answer.text())))].join("\n");
    expect(said).toContain("/salesforce/*");
    expect(said).not.toContain(ADDRESS);
    expect(said).not.toContain("cdcdcd");
    expect(said).not.toContain("SESSION-ID");
  });
});

it("the secret is asked for once a minute, and again after a failure", async () => {
  let now = NOW;
  let calls = 0;
  const secret = remembered(
    async () => {
      calls += 1;
      if (calls === 1) throw new Error("down");
      return "secret";
    },
    () => new Date(now),
  );
  await expect(secret()).rejects.toThrow("down");
  await Promise.all([secret(), secret()]);
  expect(calls).toBe(2);
  now += 60_001;
  await secret();
  expect(calls).toBe(3);
});
