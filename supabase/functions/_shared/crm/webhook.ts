import type { EntityType } from "./contract.ts";

/** What a CRM's message boils down to: records of an account to be fetched. Nothing else of it is used. */
export interface WebhookEvent {
  /** The same when the event comes again. */
  key: string;
  account: string;
  entity: EntityType;
  crmIds: readonly string[];
  reason: "webhook" | "privacy_deletion";
}

/** Most bytes of one message: a hundred events with long values stay well below. */
export const WEBHOOK_LIMIT = 1024 * 1024;
