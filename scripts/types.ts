import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startStack } from "@pipeline-crm/local-stack";
import { generateDatabaseTypes, TYPES_FILE } from "./lib/database-types.ts";
import { findPortBase } from "./lib/ports.ts";
import { PROJECT_ROOT } from "./lib/workbench.ts";

/** Writes packages/shared-types/src/database.types.ts from the migrations, on a fresh database that is gone afterwards. */
const dataDir = await mkdtemp(join(tmpdir(), "pipeline-crm-types-"));
const stack = await startStack({ projectRoot: PROJECT_ROOT, dataDir, portBase: await findPortBase(19_300) });
try {
  await writeFile(TYPES_FILE, await generateDatabaseTypes(stack.dbUrl));
  process.stdout.write("packages/shared-types/src/database.types.ts is fresh.\n");
} finally {
  await stack.stop();
  await rm(dataDir, { recursive: true, force: true });
}
process.exit(0);
