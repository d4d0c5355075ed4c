import { type Extension, writePermissions } from "./authorize.ts";
import type { Channel, ChannelIdentity } from "./channel.ts";
import { type Broadcast, type Frame, isRawBroadcast } from "./frames.ts";
import { identify, Unreadable } from "./join.ts";
import { accessTokenPayload, broadcastPayload, presencePayload } from "./payloads.ts";
import type { Services } from "./services.ts";
import { isApiKey, TokenError } from "./tokens.ts";

type Handler = (services: Services, channel: Channel, frame: Frame) => Promise<void>;

/** What a client may send on a channel it has joined. */
const HANDLERS: Readonly<Record<string, Handler>> = {
  broadcast: handleBroadcast,
  presence: handlePresence,
  access_token: handleAccessToken,
};

export async function handleChannelEvent(services: Services, channel: Channel, frame: Frame): Promise<void> {
  const handler = Object.hasOwn(HANDLERS, frame.event) ? HANDLERS[frame.event] : undefined;
  if (handler) await handler(services, channel, frame);
  else services.log(`realtime: ${channel.topic} got an unexpected message of type ${frame.event}`);
}

async function handleBroadcast(services: Services, channel: Channel, frame: Frame): Promise<void> {
  const broadcast = toBroadcast(frame.payload);
  if (broadcast === null) return services.log(`realtime: ${channel.topic} got a broadcast that is no object`);
  if (!(await mayWrite(services, channel, "broadcast"))) {
    return services.log(`realtime: ${channel.viewer.role} may not broadcast to ${channel.topic}`);
  }
  services.topics.broadcast(channel.key, broadcast, channel.config.broadcast.self ? null : channel);
  if (channel.config.broadcast.ack) channel.reply(frame.ref, "ok", {});
}

function toBroadcast(payload: unknown): Broadcast | null {
  // The metadata of a push is for the server only.
  if (isRawBroadcast(payload)) return { ...payload, meta: undefined };
  const parsed = broadcastPayload.safeParse(payload);
  return parsed.success ? { kind: "json", payload: parsed.data } : null;
}

async function mayWrite(services: Services, channel: Channel, extension: Extension): Promise<boolean> {
  if (!channel.key.isPrivate) return true;
  channel.writable ??= await writePermissions(services.sql, channel.key.name, channel.viewer);
  return channel.writable[extension];
}

async function handlePresence(services: Services, channel: Channel, frame: Frame): Promise<void> {
  const parsed = presencePayload.safeParse(frame.payload);
  if (!parsed.success) return channel.reply(frame.ref, "ok", {});
  const action = PRESENCE_ACTIONS.get(parsed.data.event.toLowerCase());
  if (action) await action(services, channel, frame, parsed.data.payload ?? {});
  else channel.reply(frame.ref, "error", {});
}

type PresenceAction = (services: Services, channel: Channel, frame: Frame, payload: unknown) => Promise<void>;

const PRESENCE_ACTIONS: ReadonlyMap<string, PresenceAction> = new Map([
  ["track", track],
  ["untrack", untrack],
]);

async function track(services: Services, channel: Channel, frame: Frame, payload: unknown): Promise<void> {
  const meta = broadcastPayload.safeParse(payload);
  if (!meta.success) return channel.reply(frame.ref, "error", { reason: "Presence track payload must be a map" });
  if (!(await mayWrite(services, channel, "presence"))) return channel.reply(frame.ref, "error", {});
  services.topics.track(channel.key, channel, channel.presenceKey, meta.data);
  channel.reply(frame.ref, "ok", {});
}

async function untrack(services: Services, channel: Channel, frame: Frame): Promise<void> {
  services.topics.untrack(channel.key, channel);
  channel.reply(frame.ref, "ok", {});
}

async function handleAccessToken(services: Services, channel: Channel, frame: Frame): Promise<void> {
  const parsed = accessTokenPayload.safeParse(frame.payload);
  const token = parsed.success ? parsed.data.access_token : null;
  if (token === null || isApiKey(token) || token === channel.identity.token) return;
  try {
    const identity = await identify(services, channel.topic, channel.key.isPrivate, token);
    if (losesReading(channel.identity, identity)) {
      return channel.shutDown(`You no longer have permission to read from this Channel topic: ${channel.key.name}`);
    }
    channel.become(identity);
    await channel.subscribeAndReport();
  } catch (error) {
    if (!(error instanceof TokenError || error instanceof Unreadable)) throw error;
    channel.shutDown(error.message);
  }
}

function losesReading(before: ChannelIdentity, after: ChannelIdentity): boolean {
  return (["broadcast", "presence"] as const).some(
    (extension) => before.readable?.[extension] === true && after.readable?.[extension] === false,
  );
}
