import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { DEFAULT_DATA_FOLDER } from "../src/data/csv.ts";
import { hubspot } from "./support.ts";

const CLI = fileURLToPath(new URL("../src/cli.ts", import.meta.url));
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill();
});

function run(...args: string[]) {
  const child = spawn(process.execPath, ["--import", "tsx", CLI, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let [out, err] = ["", ""];
  const firstLine = new Promise<string>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes("\n")) resolve(out);
    });
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, out, err: err.trim() }));
  });
  return { child, firstLine, ended };
}

describe("command line", () => {
  it("prints one JSON line when ready and ends on SIGTERM", async () => {
    const { child, firstLine, ended } = run(
      "--provider",
      "salesforce",
      "--data",
      "generated",
      "--records",
      "30",
      "--knobs",
      '{"latencyMs":1}',
    );
    const ready = JSON.parse(await firstLine) as { url: string; knobs: object; records: object };
    expect(ready).toMatchObject({
      ready: true,
      provider: "salesforce",
      knobs: { latencyMs: 1 },
      records: { Contact: { live: 30 } },
    });
    expect((await fetch(`${ready.url}/services/data`)).status).toBe(200);
    child.kill("SIGTERM");
    const { code, out, err } = await ended;
    expect([code, out.trim().split("\n").length, err]).toEqual([0, 1, ""]);
  });

  it("names the port that is taken", async () => {
    const { mock } = await hubspot();
    const { code, err } = await run("--provider", "hubspot", "--port", String(mock.port)).ended;
    expect([code, err]).toEqual([
      1,
      `Port ${mock.port} is already in use; stop what listens there or choose another with --port.`,
    ]);
  });

  it.each([
    [[], "The option --provider is missing; see --help."],
    [["--provider", "hubspot", "--speed", "9"], "Unknown option '--speed'; see --help."],
    [["--provider", "hubspot", "--port", "70000"], /^The option --port cannot be "70000": .*\.$/],
    [
      ["--provider", "hubspot", "--data", "maven"],
      'The mock hubspot has no data set "maven"; choose demo or generated.',
    ],
    [["--provider", "hubspot", "--knobs", "{"], "The option --knobs cannot be read: it is not JSON."],
    [
      ["--provider", "salesforce", "--data-folder", "/nowhere"],
      /^The data file .*accounts\.csv is missing or unreadable; restore it from the repository\.$/,
    ],
  ])("explains %j in one sentence", async (args: string[], sentence) => {
    const { code, err } = await run(...args).ended;
    expect(code).toBe(1);
    if (typeof sentence === "string") expect(err).toBe(sentence);
    else expect(err).toMatch(sentence);
  });

  it("names the data file that is corrupt", async () => {
    const folder = mkdtempSync(join(tmpdir(), "mock-crm-"));
    cpSync(DEFAULT_DATA_FOLDER, folder, { recursive: true });
    writeFileSync(join(folder, "sales_pipeline.csv"), "opportunity_id,deal_stage\nA1,Won\n");
    const { code, err } = await run("--provider", "salesforce", "--data-folder", folder).ended;
    expect(code).toBe(1);
    expect(err).toMatch(
      /sales_pipeline\.csv does not have the columns it should have \(row 0, column sales_agent: .*\); restore it/,
    );
  });
});
