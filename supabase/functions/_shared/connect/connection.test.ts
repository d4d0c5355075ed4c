import { describe, expect, it } from "vitest";
import { failure } from "../crm/errors.ts";
import { CONFIG, MEMBER, setUp } from "./testing.ts";

describe("a connection that stands", () => {
  it("can be tested by an admin", async () => {
    const { post, as } = setUp();
    const { body } = await post("/test-connection", { config_id: CONFIG });
    expect(body).toMatchObject({ connected: true, account: { external_account_name: "Acme" } });
    as(MEMBER);
    expect((await post("/test-connection", { config_id: CONFIG })).status).toBe(403);
  });

  it("reports a failed test as an answer", async () => {
    const gone = () => Promise.reject(failure("revoked", "invalid_grant", "Connect again."));
    const { body, status } = await setUp({ identify: gone }).post("/test-connection", { config_id: CONFIG });
    expect([status, body]).toEqual([
      200,
      { connected: false, kind: "revoked", code: "invalid_grant", message: "Connect again." },
    ]);
  });
});

describe("disconnecting", () => {
  it("is off here first, then revoked at the CRM, then forgotten", async () => {
    const order: string[] = [];
    const { post, database } = setUp({
      revoke: async ({ refreshToken, clientSecret }) => {
        order.push(`${database.status} ${database.tokensKept} ${refreshToken} ${clientSecret}`);
      },
    });
    const { body } = await post("/disconnect", { config_id: CONFIG });
    expect(body).toMatchObject({ disconnected: true, revoked: true });
    expect(order).toEqual(["disconnected true refresh-1 hush"]);
    expect(database.tokensKept).toBe(false);
  });

  it("does not need the CRM: when it is down, the user is told", async () => {
    const down = () => Promise.reject(failure("transient", "network_error", "Salesforce cannot be reached."));
    const { post, database } = setUp({ revoke: down });
    const { status, body } = await post("/disconnect", { config_id: CONFIG });
    expect([status, body.disconnected, body.revoked]).toEqual([200, true, false]);
    expect(body.message).toContain("remove the app in Salesforce's own settings");
    expect([database.status, database.tokensKept]).toEqual(["disconnected", false]);
  });

  it("can be repeated", async () => {
    const { post } = setUp();
    await post("/disconnect", { config_id: CONFIG });
    expect((await post("/disconnect", { config_id: CONFIG })).body).toMatchObject({ disconnected: true });
  });

  it("is for admins", async () => {
    const { post, as, database } = setUp();
    as(MEMBER);
    expect((await post("/disconnect", { config_id: CONFIG })).status).toBe(403);
    expect(database.status).toBe("connected");
  });
});
