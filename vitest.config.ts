import { defineConfig } from "vitest/config";

/** `unit`: no database. `local-stack`: the stand-in's own tests, each file with a stack of its own. `stack`: everything against one running stack. */
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
          include: ["tests/{database,e2e}/**/*.test.ts"],
          globalSetup: ["tests/support/global-setup.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
        },
      },
    ],
  },
});
