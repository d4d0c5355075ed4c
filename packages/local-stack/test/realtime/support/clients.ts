import { createClient, type RealtimeChannel, type SupabaseClient } from "@supabase/supabase-js";
import { SignJWT } from "jose";
import WebSocket from "ws";
import type { RealtimeFixture } from "./fixture.ts";

export function userToken(fixture: RealtimeFixture, sub: string, expiresInSeconds = 3600): Promise<string> {
  return new SignJWT({ role: "authenticated", session_id: crypto.randomUUID() })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(sub)
    .setIssuedAt()
    .setExpirationTime(Math.floor(Date.now() / 1000) + expiresInSeconds)
    .sign(new TextEncoder().encode(fixture.stack.jwtSecret));
}

/** supabase-js as an application uses it on Node 20. */
export async function connect(
  fixture: RealtimeFixture,
  token?: string,
  key: string = fixture.stack.publishableKey,
): Promise<SupabaseClient> {
  const client = createClient(fixture.stack.apiUrl, key, {
    realtime: { transport: WebSocket as never },
    auth: { persistSession: false, autoRefreshToken: false },
    ...(token ? { accessToken: async () => token } : {}),
  });
  // Without this the first join goes out as `anon` and the token follows it.
  if (token) await client.realtime.setAuth();
  return client;
}

/** Things that arrive, and a way to wait for one of them. */
export class Inbox<T> {
  readonly items: T[] = [];
  readonly #waiting = new Set<() => void>();

  readonly put = (item: T): void => {
    this.items.push(item);
    for (const check of this.#waiting) check();
  };

  until(isDone: (items: T[]) => boolean, what = "the expected items"): Promise<T[]> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`Waited in vain for ${what}; got ${JSON.stringify(this.items).slice(0, 2000)}`));
      }, 15_000);
      const check = () => {
        if (!isDone(this.items)) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(this.items);
      };
      this.#waiting.add(check);
      check();
    });
  }

  count(wanted: number): Promise<T[]> {
    return this.until((items) => items.length >= wanted, `${wanted} items`);
  }
}

export interface SystemMessage {
  extension: string;
  status: string;
  message: string;
  channel: string;
}

/** Joins and waits for the message that says changes are being watched. */
export async function subscribeToChanges(channel: RealtimeChannel): Promise<Inbox<SystemMessage>> {
  const system = new Inbox<SystemMessage>();
  channel.on("system", {}, system.put);
  await joined(channel);
  await system.count(1);
  return system;
}

export function joined(channel: RealtimeChannel): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.subscribe((status, error) => {
      if (status === "SUBSCRIBED") resolve();
      else reject(error ?? new Error(status));
    });
  });
}
