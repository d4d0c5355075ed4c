import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** `unit`: no database. `local-stack`: the stand-in's own tests, each file with a stack of its own. `stack`: end to end, two files at a time, each
 * worker with a running stack of its own. `convergence`: random histories on a database of their own. `database`: the schema, two files
 * at a time, each on a stack with little in it. */
export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 180_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [
            "supabase/functions/**/*.test.ts",
            "packages/{mock-crm,shared-types}/test/**/*.test.ts",
            "tests/unit/**/*.test.ts",
            "scripts/**/*.test.ts",
          ],
          maxWorkers: Math.max(2, availableParallelism() - 1),
        },
      },
      {
        extends: true,
        test: {
          name: "local-stack",
          include: ["packages/local-stack/test/**/*.test.ts"],
          globalSetup: ["packages/local-stack/test/support/global-setup.ts"],
          maxWorkers: 2,
          // Starting a stack takes seconds, and many times that on a busy machine.
          testTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "stack",
          include: ["tests/e2e/**/*.test.ts"],
          globalSetup: ["tests/support/global-setup.ts"],
          setupFiles: ["tests/support/own-bench.ts", "tests/support/fresh-mocks.ts"],
          maxWorkers: 2,
          // Far more than a test takes: a machine that others use is several times slower.
          testTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: "convergence",
          include: ["tests/convergence/**/*.test.ts"],
          globalSetup: ["tests/convergence/lib/global-setup.ts"],
          // The files share the work, not the histories.
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
      {
        extends: true,
        test: {
          name: "database",
          include: ["tests/database/**/*.test.ts"],
          globalSetup: ["tests/support/global-setup.ts"],
          setupFiles: ["tests/support/own-bench.ts"],
          maxWorkers: 2,
          testTimeout: 120_000,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
