import { z } from "zod";
import { webhooksSchema } from "./webhook-sender.ts";

/** Everything about a running mock that a test may turn, at the start or through POST /__control/knobs. */
export const knobsSchema = z.strictObject({
  latencyMs: z.number().min(0).max(60_000).describe("wait before each provider answer"),
  errorRate: z.number().min(0).max(1).describe("share of calls that answer 503, seeded"),
  lostReplyRate: z.number().min(0).max(1).describe("share of calls that take effect and then answer 502, seeded"),
  next429: z.int().min(0).describe("how many of the next data calls are refused as too many"),
  down: z.enum(["no", "refuse", "unavailable"]).describe("refuse drops connections, unavailable answers 503"),
  readOnly: z
    .array(z.string())
    .describe("objects, as the CRM names them, that the connected user may read and not change"),
  dailyQuota: z.int().min(0).nullable().describe("data calls per rolling day, null for no quota"),
  rateLimits: z.boolean().describe("HubSpot: 110 calls in 10 s and 5 searches in 1 s"),
  longRequests: z
    .strictObject({ most: z.int().positive(), afterMs: z.number().min(0) })
    .nullable()
    .describe(
      "Salesforce: how many calls may take longer than that at one time (really 25 and 20 s, 5 in a trial org)",
    ),
  tokenLifeSeconds: z.number().positive().describe("life of an access token"),
  rotateRefreshTokens: z.boolean().describe("a refresh hands out a new refresh token and kills the old one"),
  consent: z.enum(["auto", "deny"]).describe("what the person at the consent page does"),
  clockOffsetMs: z.int().describe("shifts the provider's clock"),
  clockFixed: z.iso.datetime().nullable().describe("stops the provider's clock at an instant"),
  searchLagMs: z.int().min(0).describe("HubSpot: how long a write stays invisible to search"),
  webhooks: webhooksSchema
    .nullable()
    .describe("where changes are sent: HubSpot's events, Salesforce's outbound messages"),
  locatorLifeSeconds: z.number().positive().describe("Salesforce: life of a query locator"),
});

export type Knobs = z.infer<typeof knobsSchema>;
export const knobsPatchSchema = knobsSchema.partial();

export const DEFAULT_KNOBS: Knobs = {
  latencyMs: 0,
  errorRate: 0,
  lostReplyRate: 0,
  next429: 0,
  readOnly: [],
  down: "no",
  dailyQuota: null,
  rateLimits: false,
  longRequests: null,
  tokenLifeSeconds: 1800,
  rotateRefreshTokens: false,
  consent: "auto",
  clockOffsetMs: 0,
  clockFixed: null,
  searchLagMs: 0,
  webhooks: null,
  locatorLifeSeconds: 172_800,
};
