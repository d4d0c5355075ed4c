import { randomUUID } from "node:crypto";
import { LogicalReplicationService, type Pgoutput, PgoutputPlugin } from "pg-logical-replication";
import { type Commit, commitTimestamp } from "./wal.ts";

export interface ReplicationOptions {
  adminDbUrl: string;
  publications: string[];
  /** Rows of other tables are skipped before they are decoded. */
  wants: (relation: number) => boolean;
  /** Called before the rows of a table are decoded for the first time, and again when its definition changes. */
  onRelation: (relation: Pgoutput.MessageRelation) => void;
  /** Called in commit order; the stream pauses until the promise is settled. */
  onMessage: (message: Pgoutput.Message, commit: Commit) => Promise<void> | void;
  /** The slot is lost with its connection, so changes made until `onResume` are not seen. */
  onInterrupt: (reason: string) => void;
  onResume: () => void;
  log: (line: string) => void;
}

export interface Replication {
  close(): Promise<void>;
}

const ROW_TAGS: ReadonlySet<number> = new Set(["I", "U", "D"].map((tag) => tag.charCodeAt(0)));
const SKIPPED: Pgoutput.MessageType = { tag: "type", typeOid: 0, typeSchema: "", typeName: "" };
const MAX_RETRY_MS = 5_000;

/** The value texts follow the settings of the replication session. */
const SESSION =
  "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c bytea_output=hex -c extra_float_digits=1";

class PublicationPlugin extends PgoutputPlugin {
  readonly #options: ReplicationOptions;

  constructor(options: ReplicationOptions) {
    super({ protoVersion: 1, publicationNames: options.publications });
    this.#options = options;
  }

  override parse(buffer: Buffer): Pgoutput.Message {
    if (ROW_TAGS.has(buffer.readUInt8(0)) && !this.#options.wants(buffer.readUInt32BE(1))) return SKIPPED;
    const message = super.parse(buffer);
    // Values stay text: Postgres itself turns them into JSON, so every type looks as it does when hosted.
    if (message.tag === "relation") {
      for (const column of message.columns) column.parser = (text: string) => text;
      this.#options.onRelation(message);
    }
    return message;
  }

  /** A temporary slot goes with its connection, so the log never piles up behind a stopped stack. */
  override async start(client: { query(text: string): Promise<unknown> }, slot: string, lsn: string): Promise<unknown> {
    await client.query(`CREATE_REPLICATION_SLOT "${slot}" TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT`);
    return super.start(client, slot, lsn);
  }
}

export async function startReplication(options: ReplicationOptions): Promise<Replication> {
  let closed = false;
  let service = await connect(options, () => void reconnect());

  async function reconnect(): Promise<void> {
    if (closed) return;
    options.onInterrupt("The connection to the database was lost");
    for (let delay = 100; !closed; delay = Math.min(delay * 2, MAX_RETRY_MS)) {
      try {
        service = await connect(options, () => void reconnect());
        if (closed) await service.destroy();
        else options.onResume();
        return;
      } catch (error) {
        options.log(`realtime: cannot follow the database: ${messageOf(error)}; next try in ${delay} ms`);
        await new Promise((resolve) => setTimeout(resolve, delay).unref());
      }
    }
  }

  return {
    async close() {
      closed = true;
      await service.destroy();
    },
  };
}

/** Resolves when the slot exists and the stream has started: every later commit will be seen. */
async function connect(options: ReplicationOptions, onLost: () => void): Promise<LogicalReplicationService> {
  const service = new LogicalReplicationService(
    { connectionString: options.adminDbUrl, application_name: "realtime_replication", options: SESSION },
    { acknowledge: { auto: false, timeoutSeconds: 10 }, flowControl: { enabled: true } },
  );
  let commit: Commit = { transaction: 0, at: "" };
  service.on("data", async (_lsn: string, message: Pgoutput.Message) => {
    if (message === SKIPPED) return;
    if (message.tag === "begin")
      commit = { transaction: message.xid, at: commitTimestamp(message.commitTime.valueOf()) };
    else await options.onMessage(message, commit);
  });
  // A server that shuts down waits for this answer.
  service.on("heartbeat", async (lsn: string, _time: number, answer: boolean) => {
    if (answer) await service.acknowledge(lsn);
  });
  await started(service, options, onLost);
  return service;
}

function started(service: LogicalReplicationService, options: ReplicationOptions, onLost: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let running = false;
    const fail = (error: unknown) => {
      if (running && service.isStop()) return; // closed by us
      const next = running ? onLost : () => reject(error);
      if (running) options.log(`realtime: replication stopped: ${messageOf(error)}`);
      running = false;
      service.destroy().then(next, next);
    };
    service.on("error", fail);
    service.on("start", () => {
      running = true;
      resolve();
    });
    const plugin = new PublicationPlugin(options);
    const slot = `supabase_realtime_replication_slot_${randomUUID().replaceAll("-", "")}`.slice(0, 63);
    service.subscribe(plugin, slot).then(() => fail(new Error("The stream ended")), fail);
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
