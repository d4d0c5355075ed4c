import type { Sql } from "postgres";
import { messageOf } from "../errors.ts";

/** Does what pg_net's background worker does: takes committed requests from the queue, sends them, keeps the answers. */
const BATCH_SIZE = 200;
const POLL_MS = 1_000;
const SWEEP_MS = 60_000;
const FAREWELL_MS = 500;
const KEEP_ANSWERS = "6 hours";
const USER_AGENT = "pg_net/0.20.0";

export interface QueuedRequest {
  id: string;
  method: string;
  url: string;
  headers: Record<string, string> | null;
  body: Uint8Array | null;
  timeout_milliseconds: number;
}

export interface Answer {
  status_code: number | null;
  content_type: string | null;
  headers: Record<string, string> | null;
  content: string | null;
  timed_out: boolean;
  error_msg: string | null;
}

/** Requests run at once and their answers are written as they come; the queue forgets a request when it is taken. */
export class NetWorker {
  readonly #sql: Sql;
  readonly #log: (line: string) => void;
  readonly #send: (request: QueuedRequest) => Promise<Answer>;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #timers: NodeJS.Timeout[];
  #draining: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(sql: Sql, log: (line: string) => void, send = sendRequest) {
    this.#sql = sql;
    this.#log = log;
    this.#send = send;
    this.#timers = [setInterval(() => this.wake(), POLL_MS), setInterval(() => void this.#sweep(), SWEEP_MS)];
    this.wake();
  }

  wake(): void {
    if (this.#stopped) return;
    this.#again = true;
    this.#draining ??= this.#drain()
      .catch((error: unknown) => this.#log(`pg_net: ${messageOf(error)}`))
      .finally(() => {
        this.#draining = undefined;
      });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#draining;
    await Promise.race([Promise.all(this.#inFlight), new Promise((resolve) => setTimeout(resolve, FAREWELL_MS))]);
  }

  async #drain(): Promise<void> {
    while (this.#again && !this.#stopped) {
      const batch = await takeBatch(this.#sql);
      this.#again = batch.length === BATCH_SIZE;
      for (const request of batch) this.#execute(request);
    }
  }

  #execute(request: QueuedRequest): void {
    const done: Promise<void> = this.#send(request)
      .then((answer) => keepAnswer(this.#sql, request.id, answer))
      .catch((error: unknown) => this.#log(`pg_net: request ${request.id}: ${messageOf(error)}`))
      .finally(() => this.#inFlight.delete(done));
    this.#inFlight.add(done);
  }

  async #sweep(): Promise<void> {
    await forgetOldAnswers(this.#sql).catch((error: unknown) => this.#log(`pg_net: ${messageOf(error)}`));
  }
}

async function takeBatch(sql: Sql): Promise<QueuedRequest[]> {
  const [there] = await sql`select to_regclass('net.http_request_queue') is not null as installed`;
  if (!there?.installed) return [];
  return sql<QueuedRequest[]>`
    delete from net.http_request_queue
    where id in (select id from net.http_request_queue order by id limit ${BATCH_SIZE} for update skip locked)
    returning id::text, method, url, headers, body, timeout_milliseconds`;
}

async function keepAnswer(sql: Sql, id: string, answer: Answer): Promise<void> {
  await sql`
    insert into net._http_response (id, status_code, content, headers, content_type, timed_out, error_msg)
    values (${id}, ${answer.status_code}, ${answer.content}, ${answer.headers ? sql.json(answer.headers) : null},
            ${answer.content_type}, ${answer.timed_out}, ${answer.error_msg})`;
}

async function forgetOldAnswers(sql: Sql): Promise<void> {
  const [there] = await sql`select to_regclass('net._http_response') is not null as installed`;
  if (there?.installed) await sql`delete from net._http_response where created < now() - ${KEEP_ANSWERS}::interval`;
}

export async function sendRequest(request: QueuedRequest): Promise<Answer> {
  const started = performance.now();
  const headers = new Headers(request.headers ?? {});
  headers.append("user-agent", USER_AGENT);
  try {
    const response = await fetch(request.url, {
      method: request.method.toUpperCase(),
      headers,
      body: request.body === null ? undefined : Buffer.from(request.body),
      signal: AbortSignal.timeout(request.timeout_milliseconds),
    });
    const content = await response.text();
    return {
      status_code: response.status,
      content_type: response.headers.get("content-type"),
      headers: Object.fromEntries(response.headers),
      content: content === "" ? null : content.replaceAll("\0", ""),
      timed_out: false,
      error_msg: null,
    };
  } catch (error) {
    return failure(error, request.timeout_milliseconds, performance.now() - started);
  }
}

const CURL_MESSAGES: Record<string, string> = {
  ECONNREFUSED: "Couldn't connect to server",
  ENOTFOUND: "Couldn't resolve host name",
  EAI_AGAIN: "Couldn't resolve host name",
  ECONNRESET: "Failure when receiving data from the peer",
  UND_ERR_SOCKET: "Server returned nothing (no headers, no data)",
  ETIMEDOUT: "Couldn't connect to server",
  EHOSTUNREACH: "Couldn't connect to server",
  ERR_INVALID_URL: "URL using bad/illegal format or missing URL",
};

function failure(error: unknown, timeoutMs: number, elapsedMs: number): Answer {
  const none = { status_code: null, content_type: null, headers: null, content: null };
  if (error instanceof Error && error.name === "TimeoutError") {
    const total = elapsedMs.toFixed(6);
    const message =
      `Timeout of ${timeoutMs} ms reached. Total time: ${total} ms ` +
      `(DNS time: 0.000000 ms, TCP/SSL handshake time: 0.000000 ms, HTTP Request/Response time: ${total} ms)`;
    return { ...none, timed_out: true, error_msg: message };
  }
  const cause = (error as { cause?: { code?: string } }).cause;
  const code = cause?.code ?? (error as { code?: string }).code ?? "";
  return { ...none, timed_out: false, error_msg: CURL_MESSAGES[code] ?? messageOf(cause ?? error) };
}
