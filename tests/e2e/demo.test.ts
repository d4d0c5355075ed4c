import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findPortBase } from "../../scripts/lib/ports.ts";
import { PROJECT_ROOT } from "../../scripts/lib/workbench.ts";

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
  seconds: number;
}

function npmStart(args: string[], env: Record<string, string>): Promise<Outcome> {
  const started = performance.now();
  const child = spawn("npm", ["start", "--silent", "--", ...args], {
    cwd: PROJECT_ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const outcome = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    outcome.stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    outcome.stderr += chunk.toString();
  });
  return new Promise((resolve) =>
    child.once("exit", (code) => resolve({ ...outcome, code, seconds: (performance.now() - started) / 1000 })),
  );
}

describe("npm start", () => {
  let dataDir: string;
  let portBase: number;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "pipeline-crm-demo-"));
    portBase = await findPortBase(18_500);
  });
  afterAll(() => rm(dataDir, { recursive: true, force: true }));

  const once = () => npmStart(["--once", "--json", "--port-base", String(portBase)], { PIPELINE_DATA_DIR: dataDir });

  test.each(["first", "second"])(
    "a %s run with --once --json prints one JSON object with the true totals",
    async () => {
      const { code, stdout, stderr } = await once();
      expect(code, stderr).toBe(0);
      const result = JSON.parse(stdout) as Record<string, Record<string, unknown>>;
      expect(result.salesforce).toMatchObject({ accounts: 85, opportunities: 8800 });
      expect(result.pipeline).toMatchObject({
        won: 4238,
        lost: 2473,
        open: 2089,
        won_value: 10_005_534,
        win_rate: 63.15,
      });
      expect(Object.keys(result)).toEqual(["salesforce", "hubspot", "pipeline", "pipeline_all", "two_way"]);
      expect(result.two_way?.in_salesforce).toBe(result.two_way?.next_step);
      expect(result.hubspot?.opportunities).toBeGreaterThan(0);
    },
  );

  test("a busy port is named, with the setting that moves it", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(portBase + 1, "127.0.0.1", resolve));
    const { code, stderr } = await once();
    await new Promise((resolve) => blocker.close(resolve));
    expect(code).toBe(1);
    expect(stderr).toContain(String(portBase + 1));
    expect(stderr).toMatch(/--port-base/);
  });

  test("a wrong option is refused in one sentence", async () => {
    const { code, stderr } = await npmStart(["--port-base", "eleven"], {});
    expect(code).toBe(1);
    expect(stderr).toContain("whole number");
  });
});
