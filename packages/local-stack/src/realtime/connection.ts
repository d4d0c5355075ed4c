import type { RawData, WebSocket } from "ws";
import type { Channel, Wire } from "./channel.ts";
import { handleChannelEvent } from "./channel-events.ts";
import {
  type Broadcast,
  decodeBinary,
  decodeText,
  encodeBroadcast,
  encodeFrame,
  encodeSerialized,
  type Frame,
  FrameError,
  type ProtocolVersion,
} from "./frames.ts";
import { createChannel, JoinRefused } from "./join.ts";
import type { Services } from "./services.ts";
import { SubscriptionError } from "./subscription-params.ts";

const MAX_CHANNELS = 100;
/** Clients send a heartbeat every 25 seconds; a silent connection is dead. */
const IDLE_MS = 60_000;
const PROTOCOL_ERROR = 1002;

/** One WebSocket. Frames are handled one after the other, in the order they came. */
export class Connection implements Wire {
  readonly #services: Services;
  readonly #socket: WebSocket;
  readonly #version: ProtocolVersion;
  readonly #apiToken: string;
  readonly #channels = new Map<string, Channel>();
  readonly #idle: NodeJS.Timeout;
  #tail: Promise<void> = Promise.resolve();

  constructor(services: Services, socket: WebSocket, version: ProtocolVersion, apiToken: string) {
    this.#services = services;
    this.#socket = socket;
    this.#version = version;
    this.#apiToken = apiToken;
    this.#idle = setTimeout(() => socket.terminate(), IDLE_MS).unref();
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    socket.on("close", () => this.#dispose());
    socket.on("error", (error) => services.log(`realtime: socket error: ${error.message}`));
  }

  send(frame: Frame): void {
    this.#socket.send(encodeFrame(this.#version, frame));
  }

  sendSerialized(frame: Omit<Frame, "payload">, payload: string): void {
    this.#socket.send(encodeSerialized(this.#version, frame, payload));
  }

  sendBroadcast(topic: string, broadcast: Broadcast): void {
    const encoded = encodeBroadcast(this.#version, topic, broadcast);
    if (encoded !== null) this.#socket.send(encoded);
    else this.#services.log(`realtime: ${topic} has a client on protocol 1.0.0, which cannot get a binary broadcast`);
  }

  forget(channel: Channel): void {
    if (this.#channels.get(channel.topic) === channel) this.#channels.delete(channel.topic);
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#idle.refresh();
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
    try {
      const frame = isBinary ? decodeBinary(bytes) : decodeText(this.#version, bytes.toString("utf8"));
      this.#tail = this.#tail.then(() => this.#handle(frame)).catch((error) => this.#crash(frame, error));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#services.log(`realtime: closed a connection that sent a bad frame: ${error.message}`);
      this.#socket.close(PROTOCOL_ERROR, error.message.slice(0, 100));
    }
  }

  async #handle(frame: Frame): Promise<void> {
    if (frame.topic === "phoenix") return this.#reply(frame, "ok", {});
    if (frame.event === "phx_join") return this.#join(frame);
    const channel = this.#channels.get(frame.topic);
    const isStale = channel !== undefined && frame.joinRef !== null && frame.joinRef !== channel.joinRef;
    if (frame.event === "phx_leave") return this.#leave(frame, isStale ? undefined : channel);
    if (channel === undefined) return this.#reply(frame, "error", { reason: "unmatched topic" });
    if (!isStale) await handleChannelEvent(this.#services, channel, frame);
  }

  async #join(frame: Frame): Promise<void> {
    this.#channels.get(frame.topic)?.close();
    try {
      if (!frame.topic.startsWith("realtime:")) throw new JoinRefused("unmatched topic");
      if (this.#channels.size >= MAX_CHANNELS) throw new JoinRefused("ChannelRateLimitReached: Too many channels");
      const channel = await createChannel(this.#services, this, frame, this.#apiToken);
      if (channel.config.postgres_changes_options.wait) await subscribeFirst(channel);
      if (this.#socket.readyState === this.#socket.OPEN) this.#open(channel, frame);
      else channel.release();
    } catch (error) {
      if (!(error instanceof JoinRefused)) throw error;
      this.#services.log(`realtime: refused to join ${frame.topic}: ${error.message}`);
      this.#reply(frame, "error", { reason: error.message });
    }
  }

  #open(channel: Channel, frame: Frame): void {
    this.#channels.set(channel.topic, channel);
    channel.open();
    channel.reply(frame.ref, "ok", { postgres_changes: channel.describeChanges() });
    for (const broadcast of channel.replay) channel.sendBroadcast(broadcast);
    if (channel.config.presence.enabled) channel.sendPresenceState();
    if (channel.config.postgres_changes_options.wait) channel.reportSubscribed();
    else void channel.subscribeAndReport();
  }

  #leave(frame: Frame, channel: Channel | undefined): void {
    this.#reply(frame, "ok", {});
    channel?.close();
  }

  #reply(frame: Frame, status: "ok" | "error", response: unknown): void {
    this.send({ ...frame, event: "phx_reply", payload: { status, response } });
  }

  /** A fault of the server: the client gets an error and will rejoin. */
  #crash(frame: Frame, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#services.log(`realtime: ${frame.event} on ${frame.topic} failed: ${reason}`);
    this.#channels.get(frame.topic)?.close("phx_error");
    if (frame.event === "phx_join") this.#reply(frame, "error", { reason: "Unknown Error on Channel" });
  }

  #dispose(): void {
    clearTimeout(this.#idle);
    for (const channel of this.#channels.values()) channel.release();
    this.#channels.clear();
  }
}

/** With `wait`, a join succeeds only when the changes are really watched. */
async function subscribeFirst(channel: Channel): Promise<void> {
  try {
    await channel.subscribe();
  } catch (error) {
    channel.release();
    if (error instanceof SubscriptionError) {
      throw new JoinRefused(`RealtimeDisabledForConfiguration: ${error.message}`);
    }
    throw error;
  }
}
