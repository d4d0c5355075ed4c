import { z } from "zod";

/** The hosted server takes "true" for true and falls back to the default on anything it does not understand. */
const flag = z
  .union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")])
  .catch(false)
  .default(false);

const broadcastConfig = z.object({ self: flag, ack: flag, replay: z.unknown().optional() });
const presenceConfig = z.object({ key: z.string().catch("").default(""), enabled: flag });
const changesOptions = z.object({ wait: flag });

const joinConfig = z.object({
  broadcast: broadcastConfig.catch({ self: false, ack: false }).default({ self: false, ack: false }),
  presence: presenceConfig.catch({ key: "", enabled: false }).default({ key: "", enabled: false }),
  private: flag,
  postgres_changes: z.array(z.record(z.string(), z.unknown()).nullable()).catch([]).default([]),
  postgres_changes_options: changesOptions.catch({ wait: false }).default({ wait: false }),
});

const emptyConfig = joinConfig.parse({});

const joinPayload = z.object({
  config: joinConfig.catch(emptyConfig).default(emptyConfig),
  access_token: z.string().nullish().catch(null),
});

export type JoinConfig = z.infer<typeof joinConfig>;
export type ChangeParams = Record<string, unknown>;

export function parseJoin(payload: unknown): z.infer<typeof joinPayload> {
  return joinPayload.catch({ config: emptyConfig, access_token: null }).parse(payload);
}

export const accessTokenPayload = z.object({ access_token: z.string() });

export const presencePayload = z.object({ event: z.string(), payload: z.unknown().optional() });

export const broadcastPayload = z.record(z.string(), z.unknown());

const restMessage = z.object({
  topic: z.string().min(1),
  event: z.string().min(1),
  payload: z.record(z.string(), z.unknown()),
  private: flag,
});

export const restBroadcast = z.object({ messages: z.array(restMessage).min(1) });
export type RestMessage = z.infer<typeof restMessage>;
