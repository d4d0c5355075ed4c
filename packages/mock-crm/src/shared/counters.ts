export type CallKind = "read" | "write" | "token" | "other";

export interface Classified {
  family: string;
  kind: CallKind;
}

export interface CounterState {
  requests: number;
  reads: number;
  writes: number;
  token_calls: number;
  /** Record versions really written, however many calls or batches carried them. */
  rows_written: number;
  families: Record<string, number>;
  statuses: Record<string, number>;
}

const KIND_TOTAL = { read: "reads", write: "writes", token: "token_calls" } as const;

export class Counters {
  private state = emptyState();

  call({ family, kind }: Classified): void {
    this.state.requests += 1;
    if (kind !== "other") this.state[KIND_TOTAL[kind]] += 1;
    this.state.families[family] = (this.state.families[family] ?? 0) + 1;
  }

  status(code: number): void {
    this.state.statuses[code] = (this.state.statuses[code] ?? 0) + 1;
  }

  wroteRow(): void {
    this.state.rows_written += 1;
  }

  read(): CounterState {
    return structuredClone(this.state);
  }

  reset(): void {
    this.state = emptyState();
  }
}

function emptyState(): CounterState {
  return { requests: 0, reads: 0, writes: 0, token_calls: 0, rows_written: 0, families: {}, statuses: {} };
}

export interface RouteClass extends Classified {
  /** Upper-case methods, or null for any. */
  methods: readonly string[] | null;
  path: RegExp;
}

/** First matching row wins; a path no row knows is counted as `unknown`. */
export function classifyBy(table: readonly RouteClass[]): (method: string, path: string) => Classified {
  return (method, path) =>
    table.find((row) => (row.methods === null || row.methods.includes(method)) && row.path.test(path)) ?? {
      family: "unknown",
      kind: "other",
    };
}
