import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Pgoutput } from "pg-logical-replication";
import postgres, { type Sql } from "postgres";
import { broadcastRow, isMessagesTable, MESSAGES_PUBLICATION, prepareMessages } from "./database-broadcast.ts";
import { deliverBatch } from "./fanout.ts";
import { ChangePipeline } from "./pipeline.ts";
import { type Replication, startReplication } from "./replication.ts";
import { handleBroadcastRequest } from "./rest.ts";
import type { Services } from "./services.ts";
import { SubscriptionRegistry } from "./subscriptions.ts";
import { createTokenVerifier } from "./tokens.ts";
import { TopicRegistry } from "./topics.ts";
import { acceptConnections } from "./upgrade.ts";
import { type Commit, isRowMessage, toChange } from "./wal.ts";

export interface RealtimeOptions {
  /** A superuser: Realtime takes on the role of each subscriber to check what it may see. */
  adminDbUrl: string;
  jwtSecret: string;
  publishableKey: string;
  secretKey: string;
  log: (line: string) => void;
}

export interface Realtime {
  close(): Promise<void>;
  /** Answers broadcast requests; false when the request is not one. */
  handleHttp(req: IncomingMessage, res: ServerResponse): boolean;
}

const CHANGES_PUBLICATION = "supabase_realtime";
const POOL_SIZE = 4;

/** Serves Supabase Realtime on an HTTP server: WebSocket, postgres_changes, broadcast and presence. */
export async function attachRealtime(server: Server, options: RealtimeOptions): Promise<Realtime> {
  const sql = postgres(options.adminDbUrl, {
    max: POOL_SIZE,
    connection: { application_name: "realtime", TimeZone: "UTC" },
    onnotice: () => {},
  });
  const services: Services = {
    sql,
    verifyToken: createTokenVerifier({ ...options, now: Date.now }),
    topics: new TopicRegistry(),
    subscriptions: new SubscriptionRegistry(),
    publication: CHANGES_PUBLICATION,
    now: Date.now,
    log: options.log,
  };
  try {
    const replication = await followDatabase(services, options.adminDbUrl);
    const stopConnections = acceptConnections(server, services);
    return {
      handleHttp: (req, res) => handleBroadcastRequest(services, req, res),
      async close() {
        await stopConnections();
        await replication.close();
        await sql.end({ timeout: 5 });
      },
    };
  } catch (error) {
    await sql.end({ timeout: 5 });
    throw error;
  }
}

async function followDatabase(services: Services, adminDbUrl: string): Promise<Replication> {
  const { subscriptions, topics, log } = services;
  const pipeline = new ChangePipeline((batch) => deliverBatch(services, batch), log);
  const messageTables = new Set<number>();
  await prepareMessages(services.sql);

  function onMessage(message: Pgoutput.Message, commit: Commit): Promise<void> | undefined {
    if (!isRowMessage(message)) return undefined;
    if (!messageTables.has(message.relation.relationOid)) return pipeline.push(toChange(message, commit));
    const problem = message.tag === "insert" ? broadcastRow(topics, message.new) : null;
    if (problem) log(`realtime: ${problem}`);
    return undefined;
  }

  return startReplication({
    adminDbUrl,
    publications: await findPublications(services.sql),
    wants: (relation) => subscriptions.watches(relation) || messageTables.has(relation),
    onRelation: (relation) => {
      if (isMessagesTable(relation)) messageTables.add(relation.relationOid);
    },
    onMessage,
    onInterrupt: (reason) => {
      for (const subscriber of subscriptions.subscribers()) subscriber.reportInterrupted(reason);
    },
    onResume: () => {
      for (const subscriber of subscriptions.subscribers()) subscriber.reportSubscribed();
    },
    log,
  });
}

async function findPublications(sql: Sql): Promise<string[]> {
  const rows = await sql<{ pubname: string }[]>`
    select pubname from pg_publication where pubname = any (${[CHANGES_PUBLICATION, MESSAGES_PUBLICATION]})`;
  const names = rows.map((row) => row.pubname);
  if (!names.includes(CHANGES_PUBLICATION)) {
    throw new Error(`Realtime needs the publication ${CHANGES_PUBLICATION}, which this database does not have.`);
  }
  return names;
}
