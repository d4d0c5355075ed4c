import { type Permissions, readPermissions } from "./authorize.ts";
import { Channel, type ChannelIdentity, channelName, viewerOf, type Wire } from "./channel.ts";
import type { Frame } from "./frames.ts";
import { parseJoin } from "./payloads.ts";
import { ReplayError, storedBroadcasts } from "./replay.ts";
import type { Services } from "./services.ts";
import { type Claims, isApiKey, TokenError } from "./tokens.ts";

/** The message is the reason the client sees. */
export class JoinRefused extends Error {}

/** Checks token and permissions; the channel it returns has not been opened yet. */
export async function createChannel(services: Services, wire: Wire, join: Frame, apiToken: string): Promise<Channel> {
  if (channelName(join.topic) === "") throw new JoinRefused("TopicNameRequired: You must provide a topic name");
  const { config, access_token } = parseJoin(join.payload);
  const token = access_token && !isApiKey(access_token) ? access_token : apiToken;
  try {
    const identity = await identify(services, join.topic, config.private, token);
    const channel = new Channel(services, wire, join, config, identity);
    const { name, isPrivate } = channel.key;
    if (channel.mayReadBroadcast) {
      channel.replay = await storedBroadcasts(services.sql, name, isPrivate, config.broadcast.replay);
    }
    return channel;
  } catch (error) {
    throw refusal(error) ?? error;
  }
}

function refusal(error: unknown): JoinRefused | null {
  if (error instanceof TokenError) return new JoinRefused(`${error.code}: ${error.message}`);
  if (error instanceof Unreadable) return new JoinRefused(`Unauthorized: ${error.message}`);
  if (error instanceof ReplayError) return new JoinRefused(`UnableToReplayMessages: ${error.message}`);
  return null;
}

/** The topic may not be read by this token. */
export class Unreadable extends Error {}

export async function identify(
  services: Services,
  topic: string,
  isPrivate: boolean,
  token: string,
): Promise<ChannelIdentity> {
  const claims = await services.verifyToken(token);
  const readable = isPrivate ? await requireReadable(services, channelName(topic), claims) : null;
  return { token, claims, readable };
}

async function requireReadable(services: Services, name: string, claims: Claims): Promise<Permissions> {
  const permissions = await readPermissions(services.sql, name, viewerOf(claims)).catch((error: Error) => {
    // As hosted: a policy that fails, or a missing realtime.messages, means that nobody may read.
    services.log(`realtime: the policies of realtime.messages could not be checked for ${name}: ${error.message}`);
    return { broadcast: false, presence: false };
  });
  if (permissions.broadcast || permissions.presence) return permissions;
  throw new Unreadable(`You do not have permissions to read from this Channel topic: ${name}`);
}
