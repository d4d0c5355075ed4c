import { randomUUID } from "node:crypto";

export type PresenceMeta = Record<string, unknown> & { phx_ref: string; phx_ref_prev?: string };
export type PresenceState = Record<string, { metas: PresenceMeta[] }>;
export interface PresenceDiff {
  joins: PresenceState;
  leaves: PresenceState;
}

interface Tracked {
  key: string;
  meta: PresenceMeta;
  /** What the client sent last; sending it again changes nothing. */
  payloadText: string;
}

/** Who is present in one topic, in the shape Phoenix.Presence gives to clients. `O` is the tracking channel. */
export class Presence<O> {
  readonly #tracked = new Map<O, Tracked>();

  state(): PresenceState {
    const state: PresenceState = {};
    for (const { key, meta } of this.#tracked.values()) {
      const entry = state[key] ?? { metas: [] };
      entry.metas.push(meta);
      state[key] = entry;
    }
    return state;
  }

  /** Null when nothing changed. */
  track(owner: O, key: string, payload: Record<string, unknown>): PresenceDiff | null {
    const before = this.#tracked.get(owner);
    const payloadText = JSON.stringify(payload);
    if (before?.payloadText === payloadText) return null;
    const meta: PresenceMeta = { ...payload, phx_ref: newRef() };
    if (before) meta.phx_ref_prev = before.meta.phx_ref;
    this.#tracked.set(owner, { key, meta, payloadText });
    return { joins: entry(key, meta), leaves: before ? entry(before.key, before.meta) : {} };
  }

  untrack(owner: O): PresenceDiff | null {
    const before = this.#tracked.get(owner);
    this.#tracked.delete(owner);
    return before ? { joins: {}, leaves: entry(before.key, before.meta) } : null;
  }
}

function entry(key: string, meta: PresenceMeta): PresenceState {
  return { [key]: { metas: [meta] } };
}

function newRef(): string {
  return randomUUID().replaceAll("-", "").slice(0, 20);
}
