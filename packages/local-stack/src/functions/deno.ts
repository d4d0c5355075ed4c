import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The Deno that npm installed; its own wrapper would put one more process between us and the function. */
export function denoProgram(): string {
  const { runInstall } = require("deno/install_api.cjs") as { runInstall(): string };
  return runInstall();
}
