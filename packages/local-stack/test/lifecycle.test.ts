import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { isAlive } from "../src/processes.ts";
import { readState } from "../src/state.ts";
import { TSX } from "../src/tsx.ts";
import { writeFiles } from "./support/project.ts";
import { query, refusal, useRestarts } from "./support/restarts.ts";
import { PORT_BASE } from "./support/stack.ts";

const run = promisify(execFile);
const CLI = path.resolve(import.meta.dirname, "../src/cli.ts");
const stack = useRestarts();

describe("starting again", () => {
  test("data, secrets and users survive, only pending migrations run, and it is quick", async () => {
    const first = await stack.start();
    await query(first, "insert into public.one values (1); select vault.create_secret('kept', 'kept')");
    await stack.stop();
    await writeFiles(stack.projectRoot, {
      "supabase/migrations/20260102000000_two.sql": "create table public.two (id int primary key);",
    });
    const second = await stack.start();
    expect(stack.lines.filter((line) => line.startsWith("applied"))).toEqual([
      "applied 1 migration",
      "applied 1 migration",
    ]);
    const [row] = await query(
      second,
      "select (select count(*)::int from public.one) as ones, decrypted_secret from vault.decrypted_secrets",
    );
    expect(row).toEqual({ ones: 1, decrypted_secret: "kept" });
    await stack.stop();
    const began = Date.now();
    await stack.start();
    expect(Date.now() - began).toBeLessThan(5_000);
  });

  test("stop ends every process and leaves no state", async () => {
    await stack.start();
    const state = await readState(path.join(stack.dataDir, "stack.json"));
    expect(state?.children).toHaveLength(2);
    await stack.stop();
    for (const pid of state?.children ?? []) expect(isAlive(pid)).toBe(false);
    expect(await readState(path.join(stack.dataDir, "stack.json"))).toBeUndefined();
  });

  test("a migration that fails says which and why, and nothing keeps running", async () => {
    await writeFiles(stack.projectRoot, {
      "supabase/migrations/20260103000000_bad.sql": "create table public.bad (id no_such_type);",
    });
    const error = await refusal(stack.start());
    expect(error.kind).toBe("migration_failed");
    expect(error.message).toMatch(/20260103000000_bad\.sql[\s\S]*no_such_type/);
    await rm(path.join(stack.projectRoot, "supabase/migrations/20260103000000_bad.sql"));
    await stack.start();
  });
});

test("in a folder that only we may enter it works too, and reset leaves nothing behind", async () => {
  await chmod(stack.projectRoot, 0o700);
  const started = await stack.start();
  const [row] = await query(started, "select current_setting('data_directory') as folder", started.adminDbUrl);
  await stack.stop();
  await run(process.execPath, ["--import", TSX, CLI, "reset", "--data-dir", stack.dataDir]);
  for (const folder of [stack.dataDir, row?.folder])
    await expect(readFile(path.join(folder, "PG_VERSION"))).rejects.toThrow("ENOENT");
});

describe("one clear sentence", () => {
  test("a port that is taken is named, with the setting", async () => {
    const blocker = net.createServer().listen(PORT_BASE + 2, "127.0.0.1");
    const error = await refusal(stack.start());
    blocker.close();
    expect(error.kind).toBe("port_taken");
    expect(error.message).toBe(
      `Port ${PORT_BASE + 2} (the database) is in use by another program; stop it, or choose other ports with --port-base N or PIPELINE_PORT_BASE=N.`,
    );
  });

  test("a second stack on the same data", async () => {
    await stack.start();
    const { projectRoot, dataDir } = stack;
    const script = `import(${JSON.stringify(path.resolve(import.meta.dirname, "../src/index.ts"))}).then((m) =>
      m.startStack(${JSON.stringify({ projectRoot, dataDir, portBase: PORT_BASE + 50 })})).catch((e) => console.log(e.message))`;
    const { stdout } = await run(process.execPath, ["--import", TSX, "-e", script]);
    expect(stdout).toContain(
      `The stack is already running on http://127.0.0.1:${PORT_BASE + 1} (process ${process.pid})`,
    );
  });

  test("a data folder of another major version", async () => {
    await mkdir(stack.pgData, { recursive: true });
    await writeFile(path.join(stack.pgData, "PG_VERSION"), "15\n");
    const error = await refusal(stack.start());
    expect(error).toMatchObject({ kind: "data_version" });
    expect(error.message).toContain("was made by PostgreSQL 15, this is PostgreSQL 17; run");
  });

  test("a config.toml that cannot be read", async () => {
    await writeFiles(stack.projectRoot, { "supabase/config.toml": "[api]\nmax_rows = many\n" });
    expect((await refusal(stack.start())).message).toContain("config.toml cannot be read: line 2");
  });

  test("a data folder that cannot be made", async () => {
    await writeFile(stack.dataDir, "a file");
    expect((await refusal(stack.start())).message).toMatch(/^The data folder cannot be made: /);
  });
});
