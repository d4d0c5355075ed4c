import type { HighWater, PageCursor, ReadPage } from "../crm/contract.ts";

export interface Batch {
  records: ReadPage["records"];
  next: PageCursor | null;
  highWater: HighWater | null;
  missingFields: string[];
}

export interface ReadAhead {
  /** Every page read since the last call, as one batch; waits for the first. Throws what reading threw, after the pages before it. */
  take(): Promise<Batch>;
  stop(): void;
}

export interface ReadAheadOptions {
  read: (cursor: PageCursor | null) => Promise<ReadPage>;
  start: PageCursor | null;
  /** Reading pauses while this many records wait, so memory stays flat however large the CRM is. */
  maxRecords: number;
  /** Asked before each page but the first, so that every slice gets somewhere. Once false, always false. */
  mayRead: () => boolean;
}

/**
 * Reads while the caller merges. A fast CRM with small pages so gets large merges, a slow one a merge per page: the
 * slower side is never kept waiting.
 */
export function readAhead(options: ReadAheadOptions): ReadAhead {
  let waiting: ReadPage[] = [];
  let failure: { error: unknown } | null = null;
  let pagesRead = 0;
  let ended = false;
  let stopped = false;
  let wakeReader = () => {};
  let wakeTaker = () => {};

  const full = () => waiting.reduce((sum, page) => sum + page.records.length, 0) >= options.maxRecords;
  const reading = async () => {
    let cursor = options.start;
    do {
      if (full()) await new Promise<void>((resolve) => (wakeReader = resolve));
      if (stopped || (pagesRead > 0 && !options.mayRead())) return;
      const page = await options.read(cursor);
      pagesRead += 1;
      waiting.push(page);
      cursor = page.next;
      wakeTaker();
    } while (cursor !== null);
  };
  const begin = () =>
    reading()
      .catch((error: unknown) => {
        failure = { error };
      })
      .finally(() => {
        ended = true;
        wakeTaker();
      });

  let begun = false;
  return {
    async take() {
      if (!begun) {
        begun = true;
        void begin();
      }
      while (waiting.length === 0 && !ended) await new Promise<void>((resolve) => (wakeTaker = resolve));
      if (waiting.length === 0) throw failure?.error ?? new Error("Nothing is left to read.");
      const pages = waiting;
      waiting = [];
      wakeReader();
      return joined(pages);
    },
    stop() {
      stopped = true;
      wakeReader();
    },
  };
}

function joined(pages: readonly ReadPage[]): Batch {
  const last = pages.at(-1);
  return {
    records: pages.length === 1 && last ? last.records : pages.flatMap((page) => page.records),
    next: last?.next ?? null,
    highWater: last?.highWater ?? null,
    missingFields: [...new Set(pages.flatMap((page) => page.missingFields))],
  };
}
