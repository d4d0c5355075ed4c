import { describe, expect, it } from "vitest";
import { createHubSpot } from "./provider.ts";

const provider = (seconds?: string) =>
  createHubSpot({
    fetch,
    now: () => new Date(),
    env: { HUBSPOT_CLIENT_ID: "app", ...(seconds === undefined ? {} : { HUBSPOT_SEARCH_SETTLE_SECONDS: seconds }) },
  });

describe("how long HubSpot's search may lag behind", () => {
  it("is a minute, or what the operator says", () => {
    expect(provider().lookUpLagMs).toBe(60_000);
    expect(provider("5").lookUpLagMs).toBe(5000);
    expect(provider("0").lookUpLagMs).toBe(0);
  });

  it.each(["soon", "-1", "90000"])("is not %s", (seconds) => {
    expect(() => provider(seconds)).toThrow("HUBSPOT_SEARCH_SETTLE_SECONDS");
  });
});
