import { Cron } from "croner";

/** Calls back at the times of a pg_cron schedule, in GMT, until stopped. */
export function onSchedule(schedule: string, fire: () => void): { stop(): void } {
  const seconds = schedule.match(/^\s*(\d+)\s+seconds?\s*$/i)?.[1];
  if (seconds) {
    const timer = setInterval(fire, Number(seconds) * 1000);
    return { stop: () => clearInterval(timer) };
  }
  if (schedule.trim().toLowerCase() === "@reboot") {
    const timer = setTimeout(fire, 0);
    return { stop: () => clearTimeout(timer) };
  }
  const job = new Cron(toPattern(schedule), { timezone: "Etc/UTC" }, fire);
  return { stop: () => job.stop() };
}

/** The next time of a five-field schedule after a given one. */
export function nextRun(schedule: string, after: Date): Date | null {
  return new Cron(toPattern(schedule), { timezone: "Etc/UTC", paused: true }).nextRun(after);
}

/** pg_cron writes the last day of the month as "$", the library as "L". */
function toPattern(schedule: string): string {
  return schedule.trim().replace(/^(\S+\s+\S+\s+)\$(\s)/, "$1L$2");
}
