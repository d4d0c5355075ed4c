import type { Sql } from "postgres";
import type { SubscriptionRegistry } from "./subscriptions.ts";
import type { VerifyToken } from "./tokens.ts";
import type { TopicRegistry } from "./topics.ts";

/** What every connection shares. */
export interface Services {
  /** A pool of the superuser: it takes on the subscribers' roles to check what they may see. */
  sql: Sql;
  verifyToken: VerifyToken;
  topics: TopicRegistry;
  subscriptions: SubscriptionRegistry;
  publication: string;
  now: () => number;
  log: (line: string) => void;
}
