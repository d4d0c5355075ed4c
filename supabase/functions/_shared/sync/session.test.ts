import { beforeEach, describe, expect, it } from "vitest";
import { CrmFailure, type CrmSession } from "../crm/contract.ts";
import { failure } from "../crm/errors.ts";
import { keepSession, type StoredSession, type TokenStore } from "./session.ts";
import { trouble } from "./testing.ts";

const NOW = Date.parse("2026-11-21T12:00:00.000Z");
const expired = () => trouble("revoked", { code: "session_expired" });

let vault: StoredSession;
let refreshes: number;
let lock: Promise<unknown>;
/** The tokens the CRM takes. */
let accepted: Set<string>;
let life: number | null;
let refuse: CrmFailure | null;
let onRefresh: () => void;

beforeEach(() => {
  vault = {
    environment: "production",
    instance_url: "https://crm.example",
    external_account_id: "org",
    access_token: "old",
    refresh_token: "refresh",
    expires_at: null,
    version: 1,
  };
  refreshes = 0;
  lock = Promise.resolve();
  accepted = new Set(["old"]);
  life = null;
  refuse = null;
  onRefresh = () => {};
});

const store: TokenStore = {
  load: async () => ({ ...vault }),
  async store(version, tokens) {
    if (version !== vault.version) return false;
    const expires_at = tokens.expires_at === null ? null : new Date(tokens.expires_at);
    vault = {
      ...vault,
      access_token: tokens.access_token,
      refresh_token: tokens.refresh_token,
      expires_at,
      version: version + 1,
    };
    return true;
  },
  clientSecret: async () => "secret",
  exclusively(work) {
    const mine = lock.then(() => work(store));
    lock = mine.catch(() => {});
    return mine;
  },
};
const keeper = () =>
  keepSession({
    store,
    now: () => new Date(NOW),
    provider: {
      async refresh({ refreshToken }) {
        refreshes += 1;
        onRefresh();
        if (refuse !== null) throw refuse;
        const accessToken = `new-${refreshes}`;
        accepted = new Set([accessToken]);
        const expiresAt = life === null ? null : new Date(NOW + life).toISOString();
        return { accessToken, refreshToken: `${refreshToken}+`, expiresAt, scopes: [], instanceUrl: "" };
      },
    },
  });
const call = async (session: CrmSession) => {
  if (!accepted.has(session.accessToken)) throw expired();
  return session.accessToken;
};

describe("a token", () => {
  it("that works is used as it is", async () => {
    const session = keeper();
    expect([await session.use(call), await session.use(call)]).toEqual(["old", "old"]);
    expect(refreshes).toBe(0);
  });

  it("that ends within five minutes is renewed before it is used", async () => {
    vault.expires_at = new Date(NOW + 4 * 60_000);
    life = 1_800_000;
    expect(await keeper().use(call)).toBe("new-1");
    expect(vault).toMatchObject({ access_token: "new-1", refresh_token: "refresh+", version: 2 });
  });

  it("that lives for less than five minutes is not renewed before every call", async () => {
    vault.expires_at = new Date(NOW);
    life = 60_000;
    const session = keeper();
    for (let i = 0; i < 5; i += 1) await session.use(call);
    expect(refreshes).toBe(1);
  });

  it("that is refused is renewed once, and the call made again", async () => {
    accepted = new Set();
    expect(await keeper().use(call)).toBe("new-1");
    expect(refreshes).toBe(1);
  });

  it("is renewed once for many calls that were refused together", async () => {
    accepted = new Set();
    const session = keeper();
    const answers = await Promise.all(Array.from({ length: 20 }, () => session.use(call)));
    expect(new Set(answers)).toEqual(new Set(["new-1"]));
    expect(refreshes).toBe(1);
  });

  it("is renewed once for several workers", async () => {
    accepted = new Set();
    await Promise.all(Array.from({ length: 5 }, () => keeper().use(call)));
    expect(refreshes).toBe(1);
  });
});

describe("a token that another worker renews meanwhile", () => {
  it("is replaced by that worker's, without a renewal of its own", async () => {
    const session = keeper();
    await session.use(call);
    vault = { ...vault, access_token: "theirs", version: 2 };
    accepted = new Set(["theirs"]);
    expect(await session.use(call)).toBe("theirs");
    expect(refreshes).toBe(0);
  });

  it("may end the new token as well, which is no reason to give the connection up", async () => {
    accepted = new Set();
    let tries = 0;
    const answer = await keeper().use(async ({ accessToken }) => {
      tries += 1;
      if (tries === 2) vault = { ...vault, access_token: "theirs", version: vault.version + 1 };
      if (accessToken !== "theirs") throw expired();
      return accessToken;
    });
    expect(answer).toBe("theirs");
    expect(refreshes).toBe(1);
  });

  it("is not taken for a withdrawn access when a person reconnected during the renewal", async () => {
    accepted = new Set(["reconnected"]);
    refuse = failure("revoked", "invalid_grant", "Access was withdrawn.");
    onRefresh = () => {
      vault = { ...vault, access_token: "reconnected", refresh_token: "refresh-b", version: vault.version + 1 };
    };
    expect(await keeper().use(call)).toBe("reconnected");
    expect(refreshes).toBe(1);
  });
});

describe("a connection", () => {
  it("whose new token is refused as well is gone, after one renewal", async () => {
    await expect(keeper().use(() => Promise.reject(expired()))).rejects.toMatchObject({
      detail: { kind: "revoked", code: "access_gone" },
    });
    expect(refreshes).toBe(1);
  });

  it("whose refresh token is refused is gone, and the CRM's words are kept", async () => {
    accepted = new Set();
    refuse = failure("revoked", "invalid_grant", "Access was withdrawn.");
    await expect(keeper().use(call)).rejects.toMatchObject({ detail: { code: "invalid_grant" } });
    expect(vault.access_token).toBe("old");
  });

  it("without a refresh token has to be made anew", async () => {
    vault.refresh_token = null;
    accepted = new Set();
    await expect(keeper().use(call)).rejects.toBeInstanceOf(CrmFailure);
    expect(refreshes).toBe(0);
  });
});
