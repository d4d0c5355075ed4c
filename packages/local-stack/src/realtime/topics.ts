import type { Broadcast } from "./frames.ts";
import { Presence, type PresenceDiff, type PresenceState } from "./presence.ts";

/** A channel as its topic sees it. */
export interface Member {
  readonly mayReadBroadcast: boolean;
  readonly mayReadPresence: boolean;
  sendBroadcast(broadcast: Broadcast): void;
  sendPresenceDiff(diff: PresenceDiff): void;
}

interface Topic {
  members: Set<Member>;
  presence: Presence<Member>;
}

/** Public and private channels of one name are separate topics. */
export interface TopicKey {
  name: string;
  isPrivate: boolean;
}

export class TopicRegistry {
  readonly #topics = new Map<string, Topic>();

  join(key: TopicKey, member: Member): void {
    const topic = this.#topics.get(textOf(key)) ?? { members: new Set(), presence: new Presence<Member>() };
    topic.members.add(member);
    this.#topics.set(textOf(key), topic);
  }

  leave(key: TopicKey, member: Member): void {
    const topic = this.#topics.get(textOf(key));
    if (topic === undefined) return;
    topic.members.delete(member);
    this.#announce(topic, topic.presence.untrack(member));
    if (topic.members.size === 0) this.#topics.delete(textOf(key));
  }

  broadcast(key: TopicKey, broadcast: Broadcast, except: Member | null = null): void {
    for (const member of this.#topics.get(textOf(key))?.members ?? []) {
      if (member !== except && member.mayReadBroadcast) member.sendBroadcast(broadcast);
    }
  }

  presenceState(key: TopicKey): PresenceState {
    return this.#topics.get(textOf(key))?.presence.state() ?? {};
  }

  track(key: TopicKey, member: Member, presenceKey: string, payload: Record<string, unknown>): void {
    const topic = this.#topics.get(textOf(key));
    if (topic) this.#announce(topic, topic.presence.track(member, presenceKey, payload));
  }

  untrack(key: TopicKey, member: Member): void {
    const topic = this.#topics.get(textOf(key));
    if (topic) this.#announce(topic, topic.presence.untrack(member));
  }

  #announce(topic: Topic, diff: PresenceDiff | null): void {
    if (diff === null) return;
    for (const member of topic.members) {
      if (member.mayReadPresence) member.sendPresenceDiff(diff);
    }
  }
}

function textOf(key: TopicKey): string {
  return `${key.isPrivate ? "private" : "public"}:${key.name}`;
}
