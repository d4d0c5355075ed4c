import { createHash, createHmac } from "node:crypto";
import { type Message, type WebhookKnob, WebhookSender } from "../shared/webhook-sender.ts";
import type { HubChange } from "./store.ts";

/** Who we are, as events name it. */
export interface WebhookApp {
  portalId: number;
  appId: number;
  clientSecret: string;
}

type HubEvent = Record<string, unknown>;

const SUBSCRIPTION_ID = 1_234_567;

/** Events of all objects of one account, as an app with every subscription gets them. */
export class HubSpotWebhooks {
  readonly sender: WebhookSender<HubEvent>;
  private readonly app: WebhookApp;
  private nextId = 1;

  constructor(app: WebhookApp, knob: () => WebhookKnob | null) {
    this.app = app;
    this.sender = new WebhookSender(knob, (events, attempt, settings) => this.message(events, attempt, settings));
  }

  changed({ type, kind, at, byApp, ...facts }: HubChange): void {
    const { portalId, appId } = this.app;
    this.sender.happened({
      eventId: this.nextId,
      subscriptionId: SUBSCRIPTION_ID,
      portalId,
      appId,
      occurredAt: at,
      subscriptionType: `${type}.${kind}`,
      changeSource: byApp ? "INTEGRATION" : "CRM_UI",
      sourceId: byApp ? String(appId) : "userId:9000001",
      ...facts,
    });
    this.nextId += 1;
  }

  /** Signed in both versions, as HubSpot does. */
  private message(events: readonly HubEvent[], attempt: number, { url, secret }: WebhookKnob): Message {
    const key = secret ?? this.app.clientSecret;
    const body = JSON.stringify(events.map((event) => ({ ...event, attemptNumber: attempt })));
    const timestamp = String(Date.now());
    return {
      body,
      headers: {
        "content-type": "application/json",
        "x-hubspot-signature-version": "v1",
        "x-hubspot-signature": createHash("sha256")
          .update(key + body)
          .digest("hex"),
        "x-hubspot-request-timestamp": timestamp,
        "x-hubspot-signature-v3": createHmac("sha256", key).update(`POST${url}${body}${timestamp}`).digest("base64"),
      },
    };
  }
}
