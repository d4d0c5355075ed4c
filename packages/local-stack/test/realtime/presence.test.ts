import type { RealtimePresenceState } from "@supabase/supabase-js";
import { describe, expect, it } from "vitest";
import { connect, Inbox, joined, userToken } from "./support/clients.ts";
import { useRealtime } from "./support/fixture.ts";
import { ANNA, BEN } from "./support/tables.ts";

const { fixture, connections } = useRealtime();

interface Visitor {
  name: string;
}

async function visitor(user: string, key: string, topic = "office") {
  const client = await connect(fixture, await userToken(fixture, user));
  connections.push(client.realtime);
  const channel = client.channel(topic, { config: { presence: { key } } });
  const joins = new Inbox<string>();
  const leaves = new Inbox<string>();
  const states = new Inbox<Record<string, string[]>>();
  channel.on("presence", { event: "join" }, ({ key: who }) => joins.put(who));
  channel.on("presence", { event: "leave" }, ({ key: who }) => leaves.put(who));
  channel.on("presence", { event: "sync" }, () => states.put(namesIn(channel.presenceState<Visitor>())));
  await joined(channel);
  return { client, channel, joins, leaves, states };
}

function namesIn(state: RealtimePresenceState<Visitor>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(state).map(([key, metas]) => [key, metas.map((meta) => meta.name)]));
}

describe("presence", () => {
  it("shows both clients to each other, wherever they came first", async () => {
    const anna = await visitor(ANNA, "anna");
    await anna.channel.track({ name: "Anna" });
    const ben = await visitor(BEN, "ben");
    await ben.channel.track({ name: "Ben" });
    const both = { anna: ["Anna"], ben: ["Ben"] };
    for (const one of [anna, ben]) {
      const states = await one.states.until((all) => Object.keys(all.at(-1) ?? {}).length === 2);
      expect(states.at(-1)).toEqual(both);
    }
    expect(anna.joins.items).toEqual(["anna", "ben"]);
  });

  it("tells of a changed state, of leaving and of a lost connection", async () => {
    const anna = await visitor(ANNA, "anna", "desk");
    const ben = await visitor(BEN, "ben", "desk");
    await ben.channel.track({ name: "Ben" });
    await anna.states.until((all) => all.at(-1)?.ben?.[0] === "Ben");
    await ben.channel.track({ name: "Benjamin" });
    const renamed = await anna.states.until((all) => all.at(-1)?.ben?.[0] === "Benjamin");
    expect(renamed.at(-1)).toEqual({ ben: ["Benjamin"] });
    await ben.channel.untrack();
    await anna.states.until((all) => all.length > 0 && Object.keys(all.at(-1) ?? {}).length === 0);
    await ben.channel.track({ name: "Ben again" });
    await anna.states.until((all) => all.at(-1)?.ben?.[0] === "Ben again");
    ben.client.realtime.disconnect();
    await anna.states.until((all) => Object.keys(all.at(-1) ?? {}).length === 0);
    expect(anna.leaves.items.at(-1)).toBe("ben");
  });

  it("counts two connections with one key as two presences", async () => {
    const first = await visitor(ANNA, "anna", "twice");
    const second = await visitor(ANNA, "anna", "twice");
    await first.channel.track({ name: "phone" });
    await second.channel.track({ name: "laptop" });
    const states = await first.states.until((all) => all.at(-1)?.anna?.length === 2);
    expect(states.at(-1)).toEqual({ anna: ["phone", "laptop"] });
  });

  it("in a private channel needs a policy to be announced", async () => {
    await fixture.sql`
      create policy "Members read the lounge" on realtime.messages for select to authenticated
        using (realtime.topic() = 'lounge')`;
    const client = await connect(fixture, await userToken(fixture, ANNA));
    connections.push(client.realtime);
    const channel = client.channel("lounge", { config: { private: true, presence: { key: "anna" } } });
    channel.on("presence", { event: "sync" }, () => {});
    await joined(channel);
    await expect(channel.track({ name: "Anna" })).resolves.toBe("error");
  });
});
