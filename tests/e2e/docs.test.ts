import { createClient } from "@supabase/supabase-js";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { bench } from "../support/bench.ts";
import { compileSample, docSamples } from "../support/doc-samples.ts";
import { connect, newWorld, sync, type World } from "../support/world.ts";

/** The names a sample may use without defining them. */
const GIVEN = [
  "createClient",
  "url",
  "publishableKey",
  "supabase",
  "workspaceId",
  "configId",
  "returnUrl",
  "console",
] as const;

describe("the code samples of the docs run", () => {
  let world: World;
  let configId: string;

  beforeAll(async () => {
    world = await newWorld();
    configId = await connect(world, "hubspot");
    await sync(world, configId);
  });

  /** A sample may leave a run behind, which the next one would meet. */
  beforeEach(async () => {
    const live = ["queued", "running", "paused"];
    const runs = () =>
      world.people.owner.from("crm_sync_operations").select("id").eq("config_id", configId).in("status", live);
    while (((await runs()).data ?? []).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  });

  test("there are samples", () => expect(docSamples().length).toBeGreaterThan(3));

  test.each(docSamples().map((sample) => [sample.where, sample]))("%s", async (_where, sample) => {
    const { apiUrl, publishableKey, returnUrl } = bench();
    const refused: string[] = [];
    const watched: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (response.status >= 400) refused.push(`${response.status} ${await response.clone().text()}`);
      return response;
    };
    const { data } = await world.people.owner.auth.getSession();
    const session = data.session;
    const options = {
      auth: { persistSession: false, autoRefreshToken: false },
      global: { fetch: watched },
      realtime: { transport: WebSocket as never },
    };
    const supabase = createClient(apiUrl, publishableKey, options);
    if (!session) throw new Error("The owner is not signed in.");
    await supabase.auth.setSession(session);
    const quiet = { log: () => {}, table: () => {}, error: (line: string) => refused.push(line) };
    const values = {
      createClient: () => supabase,
      url: apiUrl,
      publishableKey,
      supabase,
      workspaceId: world.workspaceId,
      configId,
      returnUrl,
      console: quiet,
    };
    await compileSample(sample.code, GIVEN)(...GIVEN.map((name) => values[name]));
    await supabase.removeAllChannels();
    expect(refused).toEqual([]);
  });
});
