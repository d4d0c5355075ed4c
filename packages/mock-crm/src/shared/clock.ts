export interface ClockSettings {
  clockOffsetMs: number;
  /** An ISO instant at which the clock stands still, or null for a running clock. */
  clockFixed: string | null;
}

export interface Clock {
  now(): number;
}

/** A clock that a run can shift or stop, so that expiry and tie cases need no waiting. */
export function createClock(settings: () => ClockSettings, system: () => number = Date.now): Clock {
  return {
    now() {
      const { clockFixed, clockOffsetMs } = settings();
      return clockFixed === null ? system() + clockOffsetMs : Date.parse(clockFixed) + clockOffsetMs;
    },
  };
}
