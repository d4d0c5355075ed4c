import { redact } from "./redact.ts";

export type Level = "info" | "warn" | "error";

export interface Logger {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** A logger that adds these fields to every line. */
  with(fields: Record<string, unknown>): Logger;
}

export interface LogSink {
  write: (line: string, level: Level) => void;
  now: () => Date;
}

/** The platform cuts lines at 10,000 characters, which would leave broken JSON. */
const LONGEST_LINE = 9000;

/** One JSON object per line, secrets taken out. */
export function createLogger(sink: LogSink, context: Record<string, unknown> = {}): Logger {
  const log =
    (level: Level) =>
    (message: string, fields: Record<string, unknown> = {}) =>
      sink.write(toLine({ time: sink.now().toISOString(), level, message, ...context, ...fields }), level);
  return {
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    with: (fields) => createLogger(sink, { ...context, ...fields }),
  };
}

function toLine(entry: Record<string, unknown>): string {
  const line = JSON.stringify(redact(entry));
  if (line.length <= LONGEST_LINE) return line;
  const { time, level, message, request_id, operation_id } = redact(entry) as Record<string, unknown>;
  return JSON.stringify({ time, level, message, request_id, operation_id, cut: line.slice(0, LONGEST_LINE - 1000) });
}
