import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { PROJECT_ROOT } from "../../scripts/lib/workbench.ts";
import { bench } from "../support/bench.ts";

const run = promisify(execFile);

test("the Supabase advisors report nothing at warning level or above", async () => {
  const cli = join(PROJECT_ROOT, "node_modules", ".bin", "supabase");
  const args = ["db", "advisors", `--remote=${bench().dbUrl}`, "--type", "all", "--level", "warn", "--fail-on", "warn"];
  const result = await run(cli, args, {
    cwd: PROJECT_ROOT,
    env: { ...process.env, SUPABASE_TELEMETRY_DISABLED: "1" },
  }).then(
    ({ stdout }) => ({ failed: false, stdout }),
    (error: { stdout?: string; stderr?: string }) => ({
      failed: true,
      stdout: `${error.stdout ?? ""}${error.stderr ?? ""}`,
    }),
  );
  expect(result.stdout).toBeTruthy();
  expect(result.failed, result.stdout).toBe(false);
});
