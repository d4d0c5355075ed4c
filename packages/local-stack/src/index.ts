// The stack, and the pieces from which another PostgreSQL server is made into the same database.

export { bootstrapDatabase } from "./bootstrap.ts";
export { messageOf, StackError, type StackErrorKind } from "./errors.ts";
export { applyMigrations } from "./migrations.ts";
export { type ServerHome, unprivilegedUser } from "./postgres/binaries.ts";
export { createCluster, stopOrphan } from "./postgres/cluster.ts";
export { STAND_INS } from "./postgres/extensions.ts";
export { startServer } from "./postgres/server.ts";
export { isAlive, until } from "./processes.ts";
export { DEFAULT_PORT_BASE, databaseUrl, LOCAL_KEYS, parsePortBase } from "./settings.ts";
export { Shutdown } from "./shutdown.ts";
export { type Stack, type StackOptions, startStack } from "./stack.ts";
export { runPgTap, type TapResult } from "./tap/run.ts";
