import type { Clock } from "./clock.ts";

const DAY_MS = 86_400_000;

/** Calls counted in a window that restarts a day after its first call. */
export class DailyQuota {
  private used = 0;
  private windowStart: number | null = null;
  private readonly clock: Clock;
  private readonly limit: () => number | null;

  constructor(clock: Clock, limit: () => number | null) {
    this.clock = clock;
    this.limit = limit;
  }

  /** False when the quota is spent; a refused call does not count. */
  take(): boolean {
    const now = this.clock.now();
    if (this.windowStart === null || now - this.windowStart >= DAY_MS) {
      this.windowStart = now;
      this.used = 0;
    }
    const limit = this.limit();
    if (limit !== null && this.used >= limit) return false;
    this.used += 1;
    return true;
  }

  state(): { used: number; limit: number | null } {
    return { used: this.used, limit: this.limit() };
  }

  reset(): void {
    this.used = 0;
    this.windowStart = null;
  }
}
