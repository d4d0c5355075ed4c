import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Started } from "../../scripts/lib/oauth-browser.ts";
import type { Client } from "../../scripts/lib/people.ts";
import { bench } from "../support/bench.ts";
import { connect, control, newWorld, openSql, type Provider, type World } from "../support/world.ts";

interface Problem {
  status: number;
  title: string;
  detail: string;
  code: string;
}

/** Calls a route of crm-oauth as the signed-in user and returns status and body, whatever they are. */
async function post(
  client: Client,
  path: string,
  body: object,
): Promise<{ status: number; type: string; body: Problem & Record<string, unknown> }> {
  const { apiUrl, publishableKey } = bench();
  const { data } = await client.auth.getSession();
  const response = await fetch(`${apiUrl}/functions/v1/crm-oauth/${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      apikey: publishableKey,
      authorization: `Bearer ${data.session?.access_token ?? ""}`,
    },
    body: JSON.stringify(body),
  });
  return {
    status: response.status,
    type: response.headers.get("content-type") ?? "",
    body: (await response.json()) as Problem & Record<string, unknown>,
  };
}

async function start(client: Client, workspaceId: string, provider: Provider): Promise<Started> {
  const answer = await post(client, "start", {
    provider,
    workspace_id: workspaceId,
    return_url: bench().returnUrl,
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body as unknown as Started;
}

/** Visits the consent page and comes back with what the app's return page would get. */
async function consent(started: Started): Promise<URLSearchParams> {
  let url = started.authorize_url;
  while (!url.startsWith(bench().returnUrl)) {
    const response = await fetch(url, { redirect: "manual" });
    const location = response.headers.get("location");
    if (!location) throw new Error(`${response.status} ${await response.text()}`);
    url = new URL(location, url).toString();
  }
  return new URL(url).searchParams;
}

const finishBody = (started: Started, back: URLSearchParams) => ({
  code: back.get("crm_code"),
  state: back.get("crm_state"),
  browser_key: started.browser_key,
});

describe.each(["salesforce", "hubspot"] as const)("connecting %s", (provider) => {
  const sql = openSql();
  let world: World;
  let stranger: World;

  const connections = async () =>
    (await sql`select id from public.crm_sync_configs where workspace_id = ${world.workspaceId}`).length;
  const expectProblem = (answer: Awaited<ReturnType<typeof post>>, status: number) => {
    expect(answer.status, JSON.stringify(answer.body)).toBe(status);
    expect(answer.type).toContain("application/problem+json");
    expect(answer.body.detail).toMatch(/[.!]$/);
  };

  beforeAll(async () => {
    [world, stranger] = [await newWorld(), await newWorld()];
  });
  beforeEach(() => control(provider, "knobs", { consent: "auto", down: "no" }));
  afterAll(async () => {
    await control(provider, "knobs", { consent: "auto", down: "no" });
    await sql.end();
  });

  test("denied consent comes back as a refusal and leaves nothing behind", async () => {
    await control(provider, "knobs", { consent: "deny" });
    const back = await consent(await start(world.people.admin, world.workspaceId, provider));
    expect(back.get("crm_error")).toBe("access_denied");
    expect(back.get("crm_code")).toBeNull();
    expect(await connections()).toBe(0);
  });

  test("a state works once", async () => {
    const started = await start(world.people.admin, world.workspaceId, provider);
    const back = await consent(started);
    const first = await post(world.people.admin, "callback", finishBody(started, back));
    expect(first.status, JSON.stringify(first.body)).toBe(201);
    expectProblem(await post(world.people.admin, "callback", finishBody(started, back)), 400);
    expect(await connections()).toBe(1);
  });

  test("connecting the same account again keeps the connection", async () => {
    const [before] = await sql`select id from public.crm_sync_configs where workspace_id = ${world.workspaceId}`;
    expect(await connect(world, provider)).toBe(before?.id);
    expect(await connections()).toBe(1);
  });

  test("an expired state is refused", async () => {
    const started = await start(world.people.admin, world.workspaceId, provider);
    const back = await consent(started);
    await sql`update private.crm_oauth_states set expires_at = now() - interval '1 second' where workspace_id = ${world.workspaceId}`;
    expectProblem(await post(world.people.admin, "callback", finishBody(started, back)), 400);
  });

  test("another person cannot finish it, nor another browser; the one who started still can", async () => {
    const started = await start(world.people.admin, world.workspaceId, provider);
    const back = await consent(started);
    expectProblem(await post(stranger.people.owner, "callback", finishBody(started, back)), 400);
    expectProblem(await post(world.people.owner, "callback", finishBody(started, back)), 400);
    expectProblem(
      await post(world.people.admin, "callback", { ...finishBody(started, back), browser_key: "x".repeat(43) }),
      400,
    );
    expect((await post(world.people.admin, "callback", finishBody(started, back))).status).toBe(201);
  });

  test("members, viewers and strangers cannot start it", async () => {
    const body = { provider, workspace_id: world.workspaceId, return_url: bench().returnUrl };
    expectProblem(await post(world.people.member, "start", body), 403);
    expectProblem(await post(world.people.viewer, "start", body), 403);
    expectProblem(await post(stranger.people.owner, "start", body), 404);
  });

  test("a return page that is not on the list is refused", async () => {
    const body = { provider, workspace_id: world.workspaceId, return_url: "https://evil.example/connected" };
    expectProblem(await post(world.people.admin, "start", body), 422);
  });

  test("a provider that is down gives a clear answer and no half-made row", async () => {
    const started = await start(stranger.people.owner, stranger.workspaceId, provider);
    const back = await consent(started);
    await control(provider, "knobs", { down: "unavailable" });
    const answer = await post(stranger.people.owner, "callback", finishBody(started, back));
    expect([502, 503]).toContain(answer.status);
    expect(answer.type).toContain("application/problem+json");
    const rows = await sql`select 1 from public.crm_sync_configs where workspace_id = ${stranger.workspaceId}`;
    expect(rows.length).toBe(0);
  });

  test("test-connection answers for a live connection", async () => {
    const config_id = await connect(world, provider);
    const tested = await post(world.people.admin, "test-connection", { config_id });
    expect(tested.body).toMatchObject({ connected: true });
  });

  test("disconnecting forgets the tokens and keeps mappings", async () => {
    const config_id = await connect(world, provider);
    const answer = await post(world.people.admin, "disconnect", { config_id });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    const [config] = await sql`select status from public.crm_sync_configs where id = ${config_id}`;
    expect(config?.status).toBe("disconnected");
    expect((await sql`select 1 from private.crm_credentials where config_id = ${config_id}`).length).toBe(0);
    expect((await sql`select 1 from public.crm_field_mappings where config_id = ${config_id}`).length).toBeGreaterThan(
      0,
    );
  });
});

test("nobody gets in without signing in", async () => {
  const { apiUrl, publishableKey } = bench();
  const response = await fetch(`${apiUrl}/functions/v1/crm-oauth/start`, {
    method: "POST",
    headers: { "content-type": "application/json", apikey: publishableKey },
    body: "{}",
  });
  expect(response.status).toBe(401);
  expect(response.headers.get("content-type")).toContain("application/problem+json");
});
