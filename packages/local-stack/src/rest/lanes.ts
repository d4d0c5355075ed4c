import { createPostgresConnection, type PostgresConnection } from "@supabase/lite/postgres";
import { Kysely } from "kysely";
import { jsonRowsDialect } from "./json-rows.ts";
import {
  isStatementReport,
  REPORT_EVERY_STATEMENT,
  type Reported,
  reportedStatement,
  type ServerNotice,
} from "./safe-update.ts";

const LANES = 10;

/** One database session. Its notices belong to the one request that holds it. */
export interface Lane {
  connection: PostgresConnection;
  statements: Reported[];
}

export interface LanePool {
  take(): Promise<Lane>;
  give(lane: Lane): void;
  close(): Promise<void>;
}

/** A boolean in a filter comes as the text of the query, and the server reads it. */
const BOOLEAN = { to: 16, from: [16], serialize: String, parse: (text: string) => text === "t" };

export function createLanePool(url: string): LanePool {
  const idle: Lane[] = [];
  const waiting: ((lane: Lane) => void)[] = [];
  const lanes = Array.from({ length: LANES }, () => createLane(url));
  idle.push(...lanes);
  return {
    take: async () => idle.pop() ?? new Promise((resolve) => waiting.push(resolve)),
    give(lane) {
      lane.statements.length = 0;
      const next = waiting.shift();
      if (next) next(lane);
      else idle.push(lane);
    },
    close: async () => {
      await Promise.all(lanes.map((lane) => lane.connection.close()));
    },
  };
}

function createLane(url: string): Lane {
  const statements: Reported[] = [];
  const onnotice = (notice: ServerNotice) => {
    const statement = isStatementReport(notice) ? reportedStatement(notice) : undefined;
    if (statement) statements.push(statement);
  };
  const settings = { application_name: "postgrest", ...REPORT_EVERY_STATEMENT };
  const connection = createPostgresConnection({
    url,
    postgresOptions: { max: 1, onnotice, connection: settings, types: { bool: BOOLEAN } },
  });
  connection.kysely = new Kysely({ dialect: jsonRowsDialect(connection.driver) });
  return { connection: silenceGrants(connection), statements };
}

/**
 * On its first request Lite grants ALL on every table to the API roles if any table has RLS. Hosted does not; telling it
 * that it has been done already is the only way to stop it (the field is private in TypeScript only).
 */
export function silenceGrants(connection: PostgresConnection): PostgresConnection {
  Object.assign(connection, { rlsState: "active" });
  return connection;
}
