import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { monthsSince } from "../../scripts/demo/planning/dates.ts";
import type { PlanningReport } from "../../scripts/demo/report/data.ts";
import { PROJECT_ROOT } from "../../scripts/lib/workbench.ts";
import { findChromium } from "../support/chromium.ts";

let folder: string;
let page: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pipeline-crm-planning-demo-"));
  page = join(folder, "report.html");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function npmRun(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn("npm", ["run", "--silent", "demo:planning", "--", ...args], {
    cwd: PROJECT_ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    said.stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said.stderr += chunk.toString();
  });
  return new Promise((resolve) => child.once("exit", (code) => resolve({ ...said, code })));
}

/** A stack of its own, a whole sync and two forecasts of 2,089 deals. */
const DEMO_MS = 600_000;

test(
  "npm run demo:planning says the numbers to programs and to people, and the page shows them",
  async () => {
    const { code, stdout, stderr } = await npmRun("--json", "--out", page);
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout) as PlanningReport & { page: string };
    expect(report.page).toBe(page);
    const deals = Object.fromEntries(report.funnel.map(({ stage, deals }) => [stage, deals]));
    expect(deals).toMatchObject({ won: 4_238, lost: 2_473, opportunity: 1_589, prospect: 500 });
    expect(report.source).toContain(`${monthsSince(new Date().toISOString().slice(0, 10))} months`);
    expect(report.forecast.periods).toHaveLength(6);
    for (const { p10, p50, p90, withNew } of report.forecast.periods) {
      expect(p10 <= p50 && p50 <= p90).toBe(true);
      expect(withNew.p50).toBeGreaterThanOrEqual(p50);
    }
    expect(report.forecast.total.p50).toBeGreaterThan(0);
    expect(report.capacity.skills.reduce((sum, { people }) => sum + people, 0)).toBe(40);
    expect(report.capacity.weeks).toHaveLength(18);
    for (const words of ["Funnel", "Revenue by month", "Load by skill and week", "Storage engineering", "$10,005,534"])
      expect(stderr).toContain(words);

    const browser = await chromium.launch({
      executablePath: await findChromium((line) => process.stderr.write(`${line}\n`)),
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    });
    try {
      const tab = await browser.newPage();
      const complaints: string[] = [];
      const requests: string[] = [];
      tab.on("console", (message) => complaints.push(message.text()));
      tab.on("pageerror", (error) => complaints.push(error.message));
      tab.on("request", (request) => requests.push(request.url()));
      await tab.goto(pathToFileURL(page).href);
      const marks = (section: string, mark: string) =>
        tab.locator(`section[aria-labelledby="${section}"] svg [aria-label="${mark}"] > *`).count();
      expect(await marks("funnel", "bar")).toBe(4);
      expect(await marks("forecast", "tick")).toBe(12);
      expect(await marks("capacity", "cell")).toBe(6 * 18);
      expect([complaints, requests.filter((url) => !url.startsWith("data:"))]).toEqual([
        [],
        [pathToFileURL(page).href],
      ]);
    } finally {
      await browser.close();
    }
    expect(await readFile(page, "utf8")).not.toMatch(/NaN|undefined|Infinity/);
  },
  DEMO_MS,
);
