import { setImmediate as nextTurn } from "node:timers/promises";
import type { Change } from "./wal.ts";

/** A batch is judged with a few queries; more rows per batch only cost memory. */
const MAX_BATCH = 2_000;
/** Above this many waiting changes the replication stream pauses. */
const HIGH_WATER = 10_000;

/**
 * Collects changes while the previous batch is being judged, so that a quiet table answers at once and a bulk merge is
 * judged by the thousand. Order is kept and nothing is dropped: a full queue makes the producer wait.
 */
export class ChangePipeline {
  readonly #deliver: (batch: Change[]) => Promise<void>;
  readonly #log: (line: string) => void;
  #waiting: Change[] = [];
  #running: Promise<void> | null = null;
  #room: { promise: Promise<void>; open: () => void } | null = null;

  constructor(deliver: (batch: Change[]) => Promise<void>, log: (line: string) => void) {
    this.#deliver = deliver;
    this.#log = log;
  }

  push(change: Change): Promise<void> | undefined {
    this.#waiting.push(change);
    this.#running ??= this.#run();
    return this.#waiting.length < HIGH_WATER ? undefined : this.#untilRoom();
  }

  /** Settles when everything pushed so far has been delivered. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // One turn of the event loop lets the rest of the network packet arrive.
    await nextTurn();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_BATCH);
      if (this.#waiting.length < HIGH_WATER) this.#openRoom();
      await this.#deliver(batch).catch((error: Error) => {
        this.#log(`realtime: a batch of ${batch.length} change(s) was not delivered: ${error.message}`);
      });
    }
    this.#running = null;
  }

  #untilRoom(): Promise<void> {
    if (this.#room === null) {
      let open = () => {};
      const promise = new Promise<void>((resolve) => {
        open = resolve;
      });
      this.#room = { promise, open };
    }
    return this.#room.promise;
  }

  #openRoom(): void {
    this.#room?.open();
    this.#room = null;
  }
}
