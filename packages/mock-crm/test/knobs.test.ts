import { describe, expect, it } from "vitest";
import {
  API_VERSION,
  CLIENT,
  call,
  consent,
  hubspot,
  jsonOf,
  postForm,
  REDIRECT,
  refusal,
  salesforce,
} from "./support.ts";

const limits = (url: string) => `${url}/services/data/v${API_VERSION}/limits`;
const contacts = (url: string) => `${url}/crm/v3/objects/contacts`;

async function statuses(token: string, address: string, calls: number): Promise<number[]> {
  const seen: number[] = [];
  for (let nth = 0; nth < calls; nth += 1) seen.push((await call(token, address)).status);
  return seen;
}

describe("knobs", () => {
  it("latencyMs makes each answer wait", async () => {
    const { mock, token } = await salesforce({ knobs: { latencyMs: 60 } });
    const start = performance.now();
    await call(token, limits(mock.url));
    expect(performance.now() - start).toBeGreaterThanOrEqual(59);
  });

  it("errorRate fails the same calls again for the same seed", async () => {
    const run = async () => {
      const { mock, token } = await hubspot({ seed: 3, knobs: { errorRate: 0.4 } });
      return statuses(token, contacts(mock.url), 20);
    };
    const [first, second] = [await run(), await run()];
    expect(first).toEqual(second);
    expect(new Set(first)).toEqual(new Set([200, 503]));
  });

  it("lostReplyRate answers 502 although the write took effect", async () => {
    const { mock, token } = await hubspot({ knobs: { lostReplyRate: 1 } });
    const init = { method: "POST", body: JSON.stringify({ properties: { email: "lost@firm.example" } }) };
    expect((await call(token, contacts(mock.url), init)).status).toBe(502);
    expect(mock.control.counters().rows_written).toBe(1);
  });

  it("down refuses connections or answers 503, and the control endpoint stays", async () => {
    const { mock, token } = await salesforce({ knobs: { down: "refuse" } });
    await expect(call(token, limits(mock.url))).rejects.toThrow();
    const knobs = await fetch(`${mock.url}/__control/knobs`, {
      method: "POST",
      body: JSON.stringify({ down: "unavailable" }),
    });
    expect(knobs.status).toBe(200);
    expect((await call(token, limits(mock.url))).status).toBe(503);
  });

  it("next429 refuses as many data calls as it says", async () => {
    const hub = await hubspot({ knobs: { next429: 2 } });
    expect(await statuses(hub.token, contacts(hub.mock.url), 3)).toEqual([429, 429, 200]);
    const force = await salesforce({ knobs: { next429: 1 } });
    const refused = await call(force.token, limits(force.mock.url));
    expect([refused.status, await refused.json()]).toEqual([
      403,
      [{ message: "ConcurrentPerOrgLongTxn Limit exceeded.", errorCode: "REQUEST_LIMIT_EXCEEDED" }],
    ]);
    expect(await statuses(force.token, limits(force.mock.url), 1)).toEqual([200]);
  });

  it("dailyQuota ends the day's calls, and a day later they go on", async () => {
    const force = await salesforce({ knobs: { dailyQuota: 2 } });
    const response = await call(force.token, limits(force.mock.url));
    expect(response.headers.get("Sforce-Limit-Info")).toBe("api-usage=1/2");
    expect(await statuses(force.token, limits(force.mock.url), 2)).toEqual([200, 403]);
    force.mock.control.knobs({ clockOffsetMs: 86_400_001, tokenLifeSeconds: 200_000 });
    expect(await statuses(force.mock.control.issueToken().token, limits(force.mock.url), 1)).toEqual([200]);
    const hub = await hubspot({ knobs: { dailyQuota: 0 } });
    const spent = await jsonOf(await call(hub.token, contacts(hub.mock.url)));
    expect(spent).toMatchObject({ policyName: "DAILY", errorType: "RATE_LIMIT" });
  });

  it("rateLimits holds HubSpot to 110 calls in ten seconds and five searches in one", async () => {
    const { mock } = await hubspot({ knobs: { rateLimits: true, clockFixed: "2026-05-01T00:00:00Z" } });
    const { token } = mock.control.issueToken();
    const seen = await statuses(token, contacts(mock.url), 111);
    expect([seen.filter((status) => status === 200).length, seen.at(-1)]).toEqual([110, 429]);
    const search = () => call(token, `${contacts(mock.url)}/search`, { method: "POST", body: "{}" });
    for (let nth = 0; nth < 5; nth += 1) expect((await search()).headers.has("X-HubSpot-RateLimit-Max")).toBe(false);
    expect(await jsonOf(await search())).toMatchObject({
      message: "You have reached your secondly limit.",
      policyName: "SECONDLY",
    });
    mock.control.knobs({ clockOffsetMs: 10_000 });
    const fresh = await call(token, contacts(mock.url));
    expect([fresh.status, fresh.headers.get("X-HubSpot-RateLimit-Remaining")]).toEqual([200, "109"]);
  });

  it("longRequests refuses a call while too many others take long, and takes it once they have ended", async () => {
    const { mock, token } = await salesforce({ knobs: { latencyMs: 300, longRequests: { most: 2, afterMs: 100 } } });
    const slow = [call(token, limits(mock.url)), call(token, limits(mock.url))];
    await new Promise((resolve) => setTimeout(resolve, 200));
    const refused = await call(token, limits(mock.url));
    expect([refused.status, await refused.json()]).toEqual([
      403,
      [{ message: "ConcurrentPerOrgLongTxn Limit exceeded.", errorCode: "REQUEST_LIMIT_EXCEEDED" }],
    ]);
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([200, 200]);
    expect(await statuses(token, limits(mock.url), 1)).toEqual([200]);
  });

  it("tells rate headers although no limit is enforced", async () => {
    const { mock, token } = await hubspot();
    expect(await statuses(token, contacts(mock.url), 120)).toEqual(Array(120).fill(200));
    const { headers } = await call(token, contacts(mock.url));
    expect(headers.get("X-HubSpot-RateLimit-Interval-Milliseconds")).toBe("10000");
  });

  it("tokenLifeSeconds ends a Salesforce session with a 401 that jsforce understands", async () => {
    const { mock, connection } = await salesforce({ knobs: { tokenLifeSeconds: 60 } });
    mock.control.knobs({ clockOffsetMs: 61_000 });
    expect((await refusal(() => connection.query("SELECT Id FROM Contact"))).name).toBe("INVALID_SESSION_ID");
  });

  it("a code is too old after its quarter of an hour", async () => {
    const { mock } = await salesforce();
    const back = await consent(`${mock.url}/services/oauth2/authorize`, { response_type: "code" });
    mock.control.knobs({ clockOffsetMs: 901_000 });
    const answer = await postForm(`${mock.url}/services/oauth2/token`, {
      grant_type: "authorization_code",
      code: back.searchParams.get("code") ?? "",
      redirect_uri: REDIRECT,
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
    });
    expect(answer.body.error_description).toBe("expired authorization code");
  });
});
