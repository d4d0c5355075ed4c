import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startStack } from "../src/index.ts";
import { isAlive } from "../src/processes.ts";
import { readState } from "../src/state.ts";
import { TSX } from "../src/tsx.ts";
import { makeProject, writeFiles } from "./support/project.ts";
import { beginWithDatabase, query, refusal, useRestarts } from "./support/restarts.ts";
import { eventually, PORT_BASE } from "./support/stack.ts";

const stack = useRestarts();

describe("a damaged data folder", () => {
  let sharedRoot = "";
  const inCluster = (name: string) => path.join(sharedRoot, ".stack/postgres", name);
  beforeAll(async () => {
    sharedRoot = await makeProject({});
    await beginWithDatabase(path.join(sharedRoot, ".stack"));
  });
  afterAll(() => rm(sharedRoot, { recursive: true, force: true }));

  const putAway = async (name: string) => {
    await rename(inCluster(name), inCluster(`${name}.away`));
    return async () => {
      await rm(inCluster(name), { recursive: true, force: true });
      await rename(inCluster(`${name}.away`), inCluster(name));
    };
  };
  const overwrite = async (name: string, text: string) => {
    const undo = await putAway(name);
    await writeFile(inCluster(name), text, { mode: 0o644 });
    return undo;
  };

  test.each([
    ["the control file is cut off", () => overwrite("global/pg_control", "short")],
    ["the control file is gone", () => putAway("global/pg_control")],
    ["the write-ahead log is gone", () => putAway("pg_wal")],
    ["the tables are gone", () => putAway("base")],
    ["the Vault key is gone", () => putAway("vault.key")],
    ["the settings are garbage", () => overwrite("postgresql.conf", "nonsense here\n")],
  ])("%s: one sentence that says so and what to do", async (_, damage) => {
    const undo = await damage();
    const options = { projectRoot: sharedRoot, dataDir: path.join(sharedRoot, ".stack"), portBase: PORT_BASE };
    const error = await refusal(startStack(options));
    await undo();
    expect(error.kind).toBe("data_corrupt");
    expect(error.message).toMatch(/^The data folder .*postgres is damaged \(.+\); run "npm run reset" .*\.$/);
  });
});

describe("after a start that was cut off", () => {
  test("a half-made database is made anew", async () => {
    await mkdir(stack.pgData, { recursive: true });
    await writeFile(`${stack.pgData}.unfinished`, "");
    await writeFile(path.join(stack.pgData, "PG_VERSION"), "17\n");
    await stack.start();
    expect(stack.lines).toContain("an earlier first start was cut off: making the database anew");
  });

  test("a stale pid file is no obstacle", async () => {
    await stack.start({ migrate: false });
    await stack.stop();
    await writeFile(path.join(stack.pgData, "postmaster.pid"), `${process.pid}\n${stack.pgData}\n`);
    await stack.start({ migrate: false });
  });

  test("a state file cut off in the middle is no obstacle", async () => {
    await mkdir(stack.dataDir, { recursive: true });
    await writeFile(path.join(stack.dataDir, "stack.json"), '{"pid": 12');
    await stack.start({ migrate: false });
  });

  test("when the stack is killed without a word, its processes end by themselves and the next start works", async () => {
    await writeFiles(stack.projectRoot, {
      "supabase/config.toml": "[functions.idle]\nverify_jwt = false\n",
      "supabase/functions/idle/index.ts": "Deno.serve(() => Response.json(Deno.pid));",
    });
    const owner = await startElsewhere();
    const functionPid = (await (await fetch(`http://127.0.0.1:${PORT_BASE + 1}/functions/v1/idle`)).json()) as number;
    const state = await readState(path.join(stack.dataDir, "stack.json"));
    owner.kill("SIGKILL");
    for (const pid of [...(state?.children ?? []), functionPid]) await eventually(`${pid} ends`, () => !isAlive(pid));
    await query(await stack.start(), "select 1 from public.one");
  });

  test("a database server that was left running is stopped first", async () => {
    const owner = await startElsewhere();
    const state = await readState(path.join(stack.dataDir, "stack.json"));
    const [database, rest] = state?.children ?? [];
    process.kill(rest ?? 0, "SIGKILL");
    owner.kill("SIGKILL");
    await eventually("the owner ends", () => !isAlive(owner.pid ?? 0));
    expect(isAlive(database ?? 0)).toBe(true);
    await stack.start();
    expect(stack.lines).toContain(`stopping the database server that an earlier run left behind (process ${database})`);
  });

  async function startElsewhere(): Promise<ChildProcess> {
    await beginWithDatabase(stack.dataDir);
    const { projectRoot, dataDir } = stack;
    const script = `import(${JSON.stringify(path.resolve(import.meta.dirname, "../src/index.ts"))}).then((m) =>
      m.startStack(${JSON.stringify({ projectRoot, dataDir, portBase: PORT_BASE })})).then(() => console.log("ready"))`;
    const child = spawn(process.execPath, ["--import", TSX, "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise<void>((resolve) =>
      child.stdout.on("data", (data) => String(data).includes("ready") && resolve()),
    );
    return child;
  }
});
