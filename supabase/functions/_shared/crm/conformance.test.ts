import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Mock } from "../../../../packages/mock-crm/src/index.ts";
import { consent, providerFor, REDIRECT, SECRET, SUBJECTS, type Subject, sessionOf } from "./conformance.setup.ts";
import type { CrmProvider, CrmSession } from "./contract.ts";

/** What every provider has to do, checked through its real client library against its mock. */

const RECORDS = 50;
const token = (refreshToken: string) => ({ refreshToken, clientSecret: SECRET, environment: "production" as const });
const failsWith = (kind: string, code?: string | RegExp) => ({
  detail: expect.objectContaining({ kind, ...(code === undefined ? {} : { code: expect.stringMatching(code) }) }),
});

describe.each(SUBJECTS)("the $id provider", (subject: Subject) => {
  let mock: Mock;
  let provider: CrmProvider;
  let session: CrmSession;

  beforeAll(async () => {
    mock = await subject.start(RECORDS);
    provider = providerFor(subject, mock);
  });
  beforeEach(() => {
    session = sessionOf(mock);
  });
  afterEach(() => mock.control.reset({ data: false }));
  afterAll(() => mock.stop());

  describe("signing in", () => {
    it("brings tokens that work, for the account that consented", async () => {
      const { answer, exchange } = await consent(provider);
      expect(answer.state).toBe("the-state");
      const tokens = await provider.exchangeCode(exchange);
      expect(tokens.refreshToken).toBeTruthy();
      const { accessToken, instanceUrl } = tokens;
      const account = await provider.identify({ accessToken, instanceUrl, externalAccountId: "" }, SECRET);
      expect(account).toMatchObject({ instanceUrl: mock.url, externalAccountId: expect.stringMatching(/\w/) });
      expect(account.userEmail).toContain("@");
    });

    it("needs the verifier that belongs to the challenge", async () => {
      const { exchange } = await consent(provider);
      const wrong = { ...exchange, codeVerifier: "w".repeat(64) };
      await expect(provider.exchangeCode(wrong)).rejects.toMatchObject(failsWith("rejected"));
    });

    it("takes a code once, and for the redirect address it was made for", async () => {
      const first = await consent(provider);
      await provider.exchangeCode(first.exchange);
      await expect(provider.exchangeCode(first.exchange)).rejects.toMatchObject(failsWith("rejected"));
      const second = await consent(provider);
      const elsewhere = { ...second.exchange, redirectUri: `${REDIRECT}/other` };
      await expect(provider.exchangeCode(elsewhere)).rejects.toMatchObject(failsWith("rejected"));
    });

    it("comes back with the refusal and the state when consent is denied", async () => {
      mock.control.knobs({ consent: "deny" });
      const { answer } = await consent(provider);
      expect(answer).toMatchObject({ error: "access_denied", state: "the-state" });
      expect(answer.code).toBeUndefined();
    });

    it("blames our own credentials for a wrong secret", async () => {
      const { exchange } = await consent(provider);
      const wrong = { ...exchange, clientSecret: "wrong" };
      await expect(provider.exchangeCode(wrong)).rejects.toMatchObject(failsWith("rejected"));
    });
  });

  describe("keeping and ending access", () => {
    const signIn = async () => (await provider.exchangeCode((await consent(provider)).exchange)).refreshToken ?? "";

    it("renews the access token", async () => {
      const renewed = await provider.refresh(token(await signIn()));
      const { accessToken, instanceUrl } = renewed;
      expect(await provider.count({ accessToken, instanceUrl, externalAccountId: "x" }, "contacts", null)).toBe(
        RECORDS,
      );
    });

    it("hands on a rotated refresh token; the old one then counts as withdrawn", async () => {
      const old = await signIn();
      mock.control.knobs({ rotateRefreshTokens: true });
      const { refreshToken } = await provider.refresh(token(old));
      expect(refreshToken).not.toBe(old);
      await expect(provider.refresh(token(old))).rejects.toMatchObject(failsWith("revoked"));
    });

    it("revokes for good, and twice does no harm", async () => {
      const refreshToken = await signIn();
      await provider.revoke(token(refreshToken));
      await provider.revoke(token(refreshToken));
      await expect(provider.refresh(token(refreshToken))).rejects.toMatchObject(failsWith("revoked"));
    });

    it("does not take a CRM that is down for a withdrawn access", async () => {
      const refreshToken = await signIn();
      mock.control.knobs({ down: "refuse" });
      await expect(provider.refresh(token(refreshToken))).rejects.toMatchObject(failsWith("transient"));
      mock.control.knobs({ down: "unavailable" });
      await expect(provider.refresh(token(refreshToken))).rejects.toMatchObject(failsWith("transient"));
    });
  });

  describe("what the CRM looks like", () => {
    it.each(["accounts", "contacts", "opportunities"] as const)("describes the fields of %s", async (entity) => {
      const fields = await provider.describe(session, entity);
      expect(new Set(fields.map((field) => field.name)).size).toBe(fields.length);
      expect(fields.length).toBeGreaterThan(5);
      expect(fields.some((field) => field.readOnly)).toBe(true);
    });

    it("knows an e-mail field and a choice when it sees one", async () => {
      const fields = await provider.describe(session, "contacts");
      expect(fields.find((field) => field.name === subject.emailField)?.type).toBe("email");
      const choices = (await provider.describe(session, "opportunities")).filter((field) => field.options);
      expect(choices.length).toBeGreaterThan(0);
    });

    it("tells a closed list of choices from suggestions, as writing shows", async () => {
      const { field: name, restricted } = subject.industry;
      const field = (await provider.describe(session, "accounts")).find((one) => one.name === name);
      expect(field).toMatchObject({ restricted, options: expect.arrayContaining([expect.anything()]) });
      const fields = { ...subject.minimal.accounts("Own"), [name]: "Beekeeping of our own" };
      const [result] = await provider.createRecords(session, { entity: "accounts", writes: [{ key: "k", fields }] });
      expect(result?.outcome).toBe(restricted ? "failed" : "written");
    });

    it("lists the stages in order, with exactly what counts as won and lost", async () => {
      const stages = await provider.stages(session);
      expect(stages.filter((stage) => stage.won)).toHaveLength(1);
      expect(stages.filter((stage) => stage.closed && !stage.won).length).toBeGreaterThan(0);
      expect(stages.find((stage) => stage.won)?.probability).toBe(100);
      expect(stages.map((stage) => stage.position)).toEqual(
        [...stages.map((stage) => stage.position)].sort((a, b) => a - b),
      );
    });

    it("lists the owners with their e-mail", async () => {
      const owners = await provider.owners(session);
      expect(owners.length).toBeGreaterThan(2);
      expect(owners.every((owner) => owner.name !== "" && owner.email?.includes("@"))).toBe(true);
    });
  });

  describe("trouble", () => {
    const page = () => provider.readPage(session, { entity: "contacts", fields: [], cursor: null, since: null });

    it("says that the session has ended, without renewing by itself", async () => {
      mock.control.expireTokens();
      const { token_calls: before } = mock.control.counters();
      await expect(page()).rejects.toMatchObject(failsWith("revoked", /^session_expired$/));
      expect(mock.control.counters().token_calls).toBe(before);
      await expect(provider.identify(session, SECRET)).rejects.toMatchObject(failsWith("revoked", /^session_expired$/));
    });

    it("waits as told when it asks too often", async () => {
      mock.control.knobs({ next429: 10 });
      const failure = await provider.describe(session, "contacts").catch((error: unknown) => error);
      expect(failure).toMatchObject(failsWith("rate_limited", subject.limitCode));
      expect(failure).toMatchObject({ detail: { retryAfterMs: expect.any(Number) } });
    });

    it("says until when it waits when the day's quota is gone", async () => {
      mock.control.knobs({ dailyQuota: 0 });
      await expect(provider.describe(session, "contacts")).rejects.toMatchObject({
        detail: { kind: "rate_limited", code: "daily_quota", until: expect.stringMatching(/^\d{4}-/) },
      });
    });

    it.each(["refuse", "unavailable"] as const)(
      "tries a few times and gives up when the CRM is down (%s)",
      async (down) => {
        mock.control.knobs({ down });
        const { requests: before } = mock.control.counters();
        await expect(provider.describe(session, "contacts")).rejects.toMatchObject(failsWith("transient"));
        expect(mock.control.counters().requests - before).toBeLessThanOrEqual(5);
      },
    );

    it.each([
      [
        "a page of HTML",
        new Response("<html>Sign in to the Wi-Fi</html>", { headers: { "content-type": "text/html" } }),
      ],
      ["broken JSON", new Response('{"results":[{"id"', { headers: { "content-type": "application/json" } })],
      ["JSON of another kind", Response.json({ hello: "world" })],
      ["nothing", new Response("")],
    ])("calls %s unreadable", async (_, answer) => {
      const broken = providerFor(subject, mock, async () => answer.clone());
      await expect(broken.describe(session, "contacts")).rejects.toMatchObject(
        failsWith("transient", /malformed_answer/),
      );
      await expect(broken.stages(session)).rejects.toMatchObject(failsWith("transient", /malformed_answer/));
      await expect(broken.owners(session)).rejects.toMatchObject(failsWith("transient", /malformed_answer/));
      await expect(broken.count(session, "contacts", null)).rejects.toMatchObject(
        failsWith("transient", /malformed_answer/),
      );
      await expect(broken.identify(session, SECRET)).rejects.toMatchObject(failsWith("transient", /malformed_answer/));
      await expect(broken.refresh(token("r"))).rejects.toMatchObject(failsWith("transient", /malformed_answer/));
    });

    it("shows no token in what it throws", async () => {
      mock.control.expireTokens();
      const failure = (await page().catch((error: unknown) => error)) as Error & { detail: unknown };
      expect(`${failure.stack} ${JSON.stringify(failure.detail)}`).not.toContain(session.accessToken);
    });
  });
});
