import { execFile, spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startStack } from "../src/index.ts";
import { TSX } from "../src/tsx.ts";
import { makeProject } from "./support/project.ts";
import { PORT_BASE } from "./support/stack.ts";

const run = promisify(execFile);
const CLI = path.resolve(import.meta.dirname, "../src/cli.ts");

let projectRoot = "";
let dataDir = "";
beforeAll(async () => {
  projectRoot = await makeProject({});
  dataDir = path.join(projectRoot, ".stack");
});
afterAll(() => rm(projectRoot, { recursive: true, force: true }));

const pgData = () => path.join(dataDir, "postgres");

describe("npm run stack", () => {
  const cli = (...args: string[]) =>
    run(process.execPath, [
      "--import",
      TSX,
      CLI,
      ...args,
      "--port-base",
      String(PORT_BASE),
      "--data-dir",
      dataDir,
      "--project-root",
      projectRoot,
    ]);

  test("start, status, psql, logs, stop, reset", async () => {
    expect((await cli("start")).stdout).toMatch(/^The stack is ready after .* s\./);
    expect((await cli("status")).stdout).toContain(`http://127.0.0.1:${PORT_BASE + 1}`);
    expect((await cli("logs")).stdout.split("\n")).toEqual(expect.arrayContaining(["postgres", "rest", "stack"]));
    expect((await cli("logs", "postgres")).stdout).toContain("database system is ready");
    const again = await cli("start").catch((error) => error);
    expect(again.stderr).toContain("The stack is already running");
    expect((await cli("stop")).stdout).toBe("The stack has stopped.\n");
    expect((await cli("stop")).stdout).toBe("The stack was not running.\n");
    expect(await cli("status").catch((error) => error)).toMatchObject({
      code: 3,
      stdout: "The stack is not running.\n",
    });
    expect(await cli("psql").catch((error) => error)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("The stack is not running"),
    });
    await cli("reset");
    await expect(readFile(path.join(pgData(), "PG_VERSION"))).rejects.toThrow("ENOENT");
  });

  test("where there is no psql, a small client of ours runs statements", async () => {
    const stack = await startStack({ projectRoot, dataDir, portBase: PORT_BASE });
    const child = spawn(process.execPath, ["--import", TSX, CLI, "psql", "--data-dir", dataDir], {
      env: { PATH: "/nonexistent" },
    });
    child.stdin.end("select 41 + 1 as answer;\nselect nonsense;\n\\q\n");
    const output = await new Promise<string>((resolve) => {
      let text = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (text += data));
      child.on("close", () => resolve(text));
    });
    await stack.stop();
    expect(output).toContain("42");
    expect(output).toContain('ERROR:  column "nonsense" does not exist');
  });
});
