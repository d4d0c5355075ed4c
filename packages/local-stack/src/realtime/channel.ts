import { randomUUID } from "node:crypto";
import type { Permissions } from "./authorize.ts";
import type { Broadcast, Frame } from "./frames.ts";
import type { ChangeParams, JoinConfig } from "./payloads.ts";
import type { PresenceDiff } from "./presence.ts";
import type { Services } from "./services.ts";
import { resolveTables } from "./subscribe.ts";
import { parseSubscription, SubscriptionError } from "./subscription-params.ts";
import { type Subscriber, type Subscription, subscriptionId } from "./subscriptions.ts";
import { type Claims, TokenError } from "./tokens.ts";
import type { Member, TopicKey } from "./topics.ts";
import type { Viewer } from "./visibility.ts";

/** The connection as a channel sees it. */
export interface Wire {
  send(frame: Frame): void;
  sendSerialized(frame: Omit<Frame, "payload">, payload: string): void;
  sendBroadcast(topic: string, broadcast: Broadcast): void;
  forget(channel: Channel): void;
}

export interface ChannelIdentity {
  token: string;
  claims: Claims;
  /** Null for public channels, which anyone may read and write. */
  readable: Permissions | null;
}

const CONFIRM_TOKEN_MS = 5 * 60_000;
const RETRY_SUBSCRIBE_MS = 5_000;
const CHANGES = "postgres_changes";

/** One joined channel of one connection. */
export class Channel implements Member, Subscriber {
  readonly topic: string;
  readonly key: TopicKey;
  readonly joinRef: string | null;
  readonly config: JoinConfig;
  readonly presenceKey: string;
  readonly changes: readonly ChangeParams[];
  identity: ChannelIdentity;
  viewer: Viewer;
  /** Checked when the client first sends something, then kept until the token changes. */
  writable: Permissions | null = null;
  /** Stored broadcasts the client asked for, sent once it has joined. */
  replay: readonly Broadcast[] = [];

  readonly #services: Services;
  readonly #wire: Wire;
  #subscriptions: Subscription[] = [];
  #confirmTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(services: Services, wire: Wire, join: Frame, config: JoinConfig, identity: ChannelIdentity) {
    this.#services = services;
    this.#wire = wire;
    this.topic = join.topic;
    this.joinRef = join.joinRef ?? join.ref;
    this.key = { name: channelName(join.topic), isPrivate: config.private };
    this.config = config;
    this.presenceKey = config.presence.key || randomUUID();
    this.changes = config.postgres_changes.filter((params) => params !== null);
    this.identity = identity;
    this.viewer = viewerOf(identity.claims);
  }

  get mayReadBroadcast(): boolean {
    return this.identity.readable?.broadcast ?? true;
  }

  get mayReadPresence(): boolean {
    return this.identity.readable?.presence ?? true;
  }

  open(): void {
    this.#services.topics.join(this.key, this);
    this.#watchToken();
  }

  become(identity: ChannelIdentity): void {
    this.identity = identity;
    this.viewer = viewerOf(identity.claims);
    this.writable = null;
    this.#watchToken();
  }

  /** The parameters as sent, each with the integer id its changes will carry. */
  describeChanges(): ChangeParams[] {
    return this.changes.map((params) => ({ ...params, id: subscriptionId(params) }));
  }

  /** Replaces all subscriptions at once, or none when one of them is refused. */
  async subscribe(): Promise<void> {
    const { sql, publication } = this.#services;
    const next: Subscription[] = [];
    try {
      for (const params of this.changes) {
        const request = parseSubscription(params);
        const tables = await resolveTables(sql, publication, request, this.viewer.role);
        const filterKey = JSON.stringify(request.filters);
        next.push({ ...request, id: subscriptionId(params), subscriber: this, tables, filterKey });
      }
    } catch (error) {
      // What was allowed to the old role need not be allowed to the new one.
      this.#replaceSubscriptions([]);
      throw error;
    }
    if (!this.#closed) this.#replaceSubscriptions(next);
  }

  #replaceSubscriptions(next: Subscription[]): void {
    const { subscriptions } = this.#services;
    for (const old of this.#subscriptions) subscriptions.remove(old);
    for (const one of next) subscriptions.add(one);
    this.#subscriptions = next;
  }

  /** Subscribes and reports the outcome as the hosted server does: in a system message after the join. */
  async subscribeAndReport(): Promise<void> {
    clearTimeout(this.#retryTimer);
    if (this.changes.length === 0 || this.#closed) return;
    try {
      await this.subscribe();
      this.reportSubscribed();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.sendSystem(CHANGES, "error", message);
      if (error instanceof SubscriptionError) return;
      this.#services.log(`realtime: ${this.topic} could not subscribe: ${message}`);
      this.#retryTimer = setTimeout(() => void this.subscribeAndReport(), RETRY_SUBSCRIBE_MS).unref();
    }
  }

  reportSubscribed(): void {
    if (this.changes.length > 0) this.sendSystem(CHANGES, "ok", "Subscribed to PostgreSQL");
  }

  reportInterrupted(reason: string): void {
    this.sendSystem(CHANGES, "error", reason);
  }

  sendChange(ids: readonly number[], data: string): void {
    if (this.#closed) return;
    this.#wire.sendSerialized(this.#head(CHANGES), `{"ids":${JSON.stringify(ids)},"data":${data}}`);
  }

  sendBroadcast(broadcast: Broadcast): void {
    this.#wire.sendBroadcast(this.topic, broadcast);
  }

  sendPresenceDiff(diff: PresenceDiff): void {
    this.#push("presence_diff", diff);
  }

  sendPresenceState(): void {
    if (this.mayReadPresence) {
      this.#wire.send({
        ...this.#head("presence_state"),
        joinRef: this.joinRef,
        payload: this.#services.topics.presenceState(this.key),
      });
    }
  }

  sendSystem(extension: string, status: "ok" | "error", message: string): void {
    const payload = { extension, status, message, channel: this.key.name };
    this.#wire.send({ ...this.#head("system"), joinRef: this.joinRef, payload });
  }

  reply(ref: string | null, status: "ok" | "error", response: unknown): void {
    this.#wire.send({ ...this.#head("phx_reply"), joinRef: this.joinRef, ref, payload: { status, response } });
  }

  /** The server ends the channel: the client is told why. */
  shutDown(message: string): void {
    if (this.#closed) return;
    this.sendSystem("system", "error", message);
    this.close();
  }

  /** `phx_error` makes the client join again, `phx_close` does not. */
  close(event: "phx_close" | "phx_error" = "phx_close"): void {
    if (this.#closed) return;
    this.release();
    this.#wire.send({ ...this.#head(event), joinRef: this.joinRef, ref: this.joinRef, payload: {} });
    this.#wire.forget(this);
  }

  /** Leaves everything without a word, as when the connection is gone. */
  release(): void {
    this.#closed = true;
    clearTimeout(this.#confirmTimer);
    clearTimeout(this.#retryTimer);
    this.#replaceSubscriptions([]);
    this.#services.topics.leave(this.key, this);
  }

  #push(event: string, payload: unknown): void {
    this.#wire.send({ ...this.#head(event), payload });
  }

  #head(event: string): Omit<Frame, "payload"> {
    return { joinRef: null, ref: null, topic: this.topic, event };
  }

  #watchToken(): void {
    clearTimeout(this.#confirmTimer);
    const { exp } = this.identity.claims;
    if (this.#closed || exp === undefined) return;
    const untilExpiry = Math.max(0, exp * 1000 - this.#services.now());
    this.#confirmTimer = setTimeout(() => void this.#confirmToken(), Math.min(CONFIRM_TOKEN_MS, untilExpiry)).unref();
  }

  async #confirmToken(): Promise<void> {
    try {
      await this.#services.verifyToken(this.identity.token);
      this.#watchToken();
    } catch (error) {
      if (!(error instanceof TokenError)) this.#services.log(`realtime: a token could not be checked: ${error}`);
      this.shutDown(error instanceof TokenError ? error.message : "The token could not be checked");
    }
  }
}

export function channelName(topic: string): string {
  return topic.slice("realtime:".length);
}

export function viewerOf(claims: Claims): Viewer {
  return { role: claims.role, claimsText: JSON.stringify(claims) };
}
