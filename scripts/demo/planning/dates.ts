import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The month in which the Maven data end. */
const LAST = { year: 2017, month: 12 };
const DAY = /\b(\d{4})-(\d{2})-(\d{2})\b/g;

/** How many months later the data have to happen to end with the month before this day. */
export function monthsSince(today: string): number {
  const [year = 0, month = 0] = today.split("-").map(Number);
  return (year - LAST.year) * 12 + (month - 1 - LAST.month);
}

/** The same day so many months later; the last of the month where there is no such day. */
export function monthsLater(day: string, months: number): string {
  const [year = 0, month = 0, date = 0] = day.split("-").map(Number);
  const last = new Date(Date.UTC(year, month + months, 0)).getUTCDate();
  return new Date(Date.UTC(year, month - 1 + months, Math.min(date, last))).toISOString().slice(0, 10);
}

/** The Maven files with every day so many months later. The mock Salesforce then serves a pipeline of today. */
export async function copyMaven(from: string, to: string, months: number): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    if (name !== "sales_pipeline.csv") await copyFile(join(from, name), join(to, name));
    else {
      const text = await readFile(join(from, name), "utf8");
      await writeFile(
        join(to, name),
        text.replace(DAY, (day) => monthsLater(day, months)),
      );
    }
  }
}
