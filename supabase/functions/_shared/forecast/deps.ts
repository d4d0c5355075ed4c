import type { Db } from "../db/types.ts";

export interface ForecastDeps {
  db: Db;
  now: () => Date;
  /** Lets everything else that waits have its turn. */
  breathe: () => Promise<void>;
  /** Goes on after the answer was sent. */
  background: (work: Promise<unknown>) => void;
}
