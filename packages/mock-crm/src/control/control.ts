import { z } from "zod";
import type { CounterState, Counters } from "../shared/counters.ts";
import { type Knobs, knobsPatchSchema } from "../shared/knobs.ts";
import type { AccessToken, OAuthStore } from "../shared/oauth-store.ts";
import type { DailyQuota } from "../shared/quota.ts";

const fields = z.record(z.string(), z.unknown());
const target = { type: z.string(), id: z.string() };

/** One change to the CRM's records as a person or another app would make it. */
export const recordActionSchema = z.discriminatedUnion("action", [
  z.strictObject({ action: z.literal("create"), type: z.string(), fields }),
  z.strictObject({ action: z.literal("edit"), ...target, fields }),
  z.strictObject({ action: z.literal("delete"), ...target }),
  z.strictObject({ action: z.literal("undelete"), ...target }),
  z.strictObject({
    action: z.literal("merge"),
    type: z.string(),
    winner: z.string(),
    losers: z.array(z.string()).min(1),
  }),
  z.strictObject({
    action: z.literal("touch").describe("edit many rows at once; {n} in a text value becomes the row's number"),
    type: z.string(),
    from: z.int().min(0).default(0),
    count: z.int().min(1),
    fields,
  }),
  z.strictObject({ action: z.literal("dirty").describe("edit without the checks of the API"), ...target, fields }),
  z.strictObject({
    action: z.literal("associate").describe("HubSpot: tie two records; unlink to untie"),
    from: z.strictObject(target),
    to: z.strictObject(target),
    unlink: z.boolean().default(false),
  }),
]);
export type RecordAction = z.infer<typeof recordActionSchema>;

export const resetSchema = z.strictObject({
  data: z.boolean().default(true),
  deals: z.int().min(0).optional().describe("no more than the first so many deals"),
  knobs: z.boolean().default(true),
  counters: z.boolean().default(true),
  tokens: z.boolean().default(false),
});
export type ResetRequest = z.input<typeof resetSchema>;

export const tokenActionSchema = z.strictObject({ action: z.enum(["issue", "expire", "revoke"]) });
export type TokenAction = z.infer<typeof tokenActionSchema>["action"];

/** What each provider adds to the common control. */
export interface ControlHooks {
  apply(action: RecordAction): Record<string, unknown>;
  list(type: string, from: number, count: number): unknown[];
  describe(): Record<string, unknown>;
}

export interface ControlParts extends ControlHooks {
  provider: "salesforce" | "hubspot";
  knobs: Knobs;
  initialKnobs: Knobs;
  counters: Counters;
  oauth: OAuthStore;
  quota: DailyQuota;
  /** In whose name a token without a consent is issued. */
  holder: Parameters<OAuthStore["issueAccess"]>[0];
  now: () => number;
  reload: (mostDeals?: number) => void;
}

/** The same levers in process and behind /__control. */
export interface MockControl {
  knobs(patch?: Partial<Knobs>): Knobs;
  reset(request?: ResetRequest): void;
  records(actions: readonly RecordActionInput[]): Record<string, unknown>[];
  list(type: string, from?: number, count?: number): unknown[];
  counters(): CounterState;
  state(): Record<string, unknown>;
  issueToken(): AccessToken;
  expireTokens(): void;
  revokeTokens(): void;
}
export type RecordActionInput = z.input<typeof recordActionSchema>;

export class ControlError extends Error {
  override readonly name = "ControlError";
}

export function controlError(message: string): ControlError {
  return new ControlError(message);
}

export function buildControl(parts: ControlParts): MockControl {
  const { knobs, counters, oauth, quota } = parts;
  return {
    knobs: (patch = {}) => ({ ...Object.assign(knobs, knobsPatchSchema.parse(patch)) }),
    reset(request = {}) {
      const what = resetSchema.parse(request);
      if (what.knobs) Object.assign(knobs, parts.initialKnobs);
      if (what.data) parts.reload(what.deals);
      if (what.counters) counters.reset();
      if (what.counters) quota.reset();
      if (what.tokens) oauth.revokeAll();
    },
    records: (actions) => actions.map((action) => parts.apply(recordActionSchema.parse(action))),
    list: (type, from = 0, count = 100) => parts.list(type, from, count),
    counters: () => counters.read(),
    state: () => ({
      provider: parts.provider,
      now: new Date(parts.now()).toISOString(),
      knobs: { ...knobs },
      quota: quota.state(),
      live_consents: oauth.export().grants.length,
      ...parts.describe(),
    }),
    issueToken: () => oauth.issueAccess(parts.holder),
    expireTokens: () => oauth.expireAccess(),
    revokeTokens: () => oauth.revokeAll(),
  };
}
