import type { Filter } from "./filters.ts";
import type { Viewer } from "./visibility.ts";

export type ChangeKind = "INSERT" | "UPDATE" | "DELETE";

/** What a subscription needs of its channel. The viewer is replaced with every token refresh. */
export interface Subscriber {
  readonly viewer: Viewer;
  sendChange(ids: readonly number[], data: string): void;
  reportInterrupted(reason: string): void;
  reportSubscribed(): void;
}

export interface Subscription {
  id: number;
  subscriber: Subscriber;
  tables: readonly number[];
  event: ChangeKind | "*";
  filters: readonly Filter[];
  /** Equal for subscriptions with equal filters, which are evaluated once. */
  filterKey: string;
  select: readonly string[] | null;
}

/** All live postgres_changes subscriptions, found by the oid of the table they watch. */
export class SubscriptionRegistry {
  readonly #byTable = new Map<number, Set<Subscription>>();

  add(subscription: Subscription): void {
    for (const table of subscription.tables) {
      const watching = this.#byTable.get(table) ?? new Set();
      this.#byTable.set(table, watching.add(subscription));
    }
  }

  remove(subscription: Subscription): void {
    for (const table of subscription.tables) {
      const watching = this.#byTable.get(table);
      watching?.delete(subscription);
      if (watching?.size === 0) this.#byTable.delete(table);
    }
  }

  watches(table: number): boolean {
    return this.#byTable.has(table);
  }

  forTable(table: number): Subscription[] {
    return [...(this.#byTable.get(table) ?? [])];
  }

  subscribers(): Set<Subscriber> {
    return new Set([...this.#byTable.values()].flatMap((watching) => [...watching].map((one) => one.subscriber)));
  }
}

/** The hosted server answers a hash of the parameters; any stable, non-zero integer of 27 bits does. */
export function subscriptionId(params: unknown): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(JSON.stringify(params))) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 5 || 1;
}
