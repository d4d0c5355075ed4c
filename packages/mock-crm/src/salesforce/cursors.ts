import type { Clock } from "../shared/clock.ts";
import { SalesforceError } from "./errors.ts";
import { makeId } from "./ids.ts";
import type { Row } from "./row.ts";
import type { Project } from "./soql/select.ts";

/** An org keeps this many open cursors per user; the oldest goes when one more opens. */
const MOST_PER_USER = 10;
const LOCATOR = /^(01g[A-Za-z0-9]{15})-(\d+)$/;

interface Cursor {
  rows: readonly Row[];
  project: Project;
  batchSize: number;
  openedAt: number;
}

export interface QueryPage {
  totalSize: number;
  done: boolean;
  nextRecordsUrl?: string;
  records: ReturnType<Project>[];
}

export class Cursors {
  private readonly open = new Map<string, Cursor>();
  private readonly clock: Clock;
  private readonly lifeSeconds: () => number;
  private sequence = 0;

  constructor(clock: Clock, lifeSeconds: () => number) {
    this.clock = clock;
    this.lifeSeconds = lifeSeconds;
  }

  first(base: string, query: Pick<Cursor, "rows" | "project" | "batchSize">): QueryPage {
    const cursor = { ...query, openedAt: this.clock.now() };
    if (query.rows.length <= query.batchSize) return page(cursor, 0, "", base);
    this.sequence += 1;
    const id = makeId("01g", this.sequence);
    this.open.set(id, cursor);
    const [oldest] = this.open.keys();
    if (this.open.size > MOST_PER_USER && oldest !== undefined) this.open.delete(oldest);
    return page(cursor, 0, id, base);
  }

  next(base: string, locator: string): QueryPage {
    const [, id = "", from = ""] = LOCATOR.exec(locator) ?? [];
    const cursor = this.open.get(id);
    if (cursor === undefined || this.clock.now() - cursor.openedAt > this.lifeSeconds() * 1000) {
      throw new SalesforceError("INVALID_QUERY_LOCATOR", "invalid query locator");
    }
    return page(cursor, Number(from), id, base);
  }

  reset(): void {
    this.open.clear();
  }
}

function page(cursor: Cursor, from: number, id: string, base: string): QueryPage {
  const end = Math.min(from + cursor.batchSize, cursor.rows.length);
  const records = cursor.rows.slice(from, end).map(cursor.project);
  const totalSize = cursor.rows.length;
  if (end === totalSize) return { totalSize, done: true, records };
  return { totalSize, done: false, nextRecordsUrl: `${base}/query/${id}-${end}`, records };
}
