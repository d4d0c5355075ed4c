import { z } from "zod";

export const webhooksSchema = z.strictObject({
  url: z.url(),
  /** HubSpot: what signs instead of the client secret, to play a forger. */
  secret: z.string().optional(),
  duplicates: z.boolean().default(false).describe("sends each message twice"),
  outOfOrder: z.boolean().default(false).describe("the newest event of a message comes first"),
  retryMs: z.int().min(0).default(200).describe("pause before a message is sent again, doubled each time"),
});
export type WebhookKnob = z.infer<typeof webhooksSchema>;

export interface WebhookState {
  waiting: number;
  delivered: number;
  retried: number;
  given_up: number;
  last_status: number | null;
}

export interface Message {
  headers: Record<string, string>;
  body: string;
}

const BATCH = 100;
const GATHER_MS = 20;
const TRIES = 6;

/** Sends what happened to one address, gathered in batches, again and again until it is answered with 2xx. */
export class WebhookSender<E> {
  private waiting: E[] = [];
  private timer: NodeJS.Timeout | null = null;
  private counts = { delivered: 0, retried: 0, given_up: 0 };
  private lastStatus: number | null = null;
  private readonly knob: () => WebhookKnob | null;
  private readonly write: (events: readonly E[], attempt: number, knob: WebhookKnob) => Message;

  constructor(
    knob: () => WebhookKnob | null,
    write: (events: readonly E[], attempt: number, knob: WebhookKnob) => Message,
  ) {
    this.knob = knob;
    this.write = write;
  }

  happened(event: E): void {
    if (this.knob() === null) return;
    this.waiting.push(event);
    this.timer ??= setTimeout(() => this.flush(), GATHER_MS).unref();
  }

  state(): WebhookState {
    return { waiting: this.waiting.length, ...this.counts, last_status: this.lastStatus };
  }

  reset(): void {
    this.waiting = [];
    this.counts = { delivered: 0, retried: 0, given_up: 0 };
    this.lastStatus = null;
  }

  private flush(): void {
    this.timer = null;
    const knob = this.knob();
    if (knob === null) return;
    for (let batch = this.waiting.splice(0, BATCH); batch.length > 0; batch = this.waiting.splice(0, BATCH)) {
      const events = knob.outOfOrder ? batch.reverse() : batch;
      for (let copy = 0; copy < (knob.duplicates ? 2 : 1); copy += 1) void this.deliver(events, 0, knob);
    }
  }

  private async deliver(events: readonly E[], attempt: number, knob: WebhookKnob): Promise<void> {
    if (await this.post(this.write(events, attempt, knob), knob)) {
      this.counts.delivered += events.length;
    } else if (attempt + 1 >= TRIES) {
      this.counts.given_up += events.length;
    } else {
      this.counts.retried += events.length;
      setTimeout(() => void this.deliver(events, attempt + 1, knob), knob.retryMs * 2 ** attempt).unref();
    }
  }

  private async post({ headers, body }: Message, { url }: WebhookKnob): Promise<boolean> {
    try {
      const response = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(5_000) });
      this.lastStatus = response.status;
      await response.arrayBuffer();
      return response.ok;
    } catch {
      this.lastStatus = null;
      return false;
    }
  }
}
