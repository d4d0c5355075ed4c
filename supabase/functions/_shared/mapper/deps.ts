import type { ConnectDeps } from "../connect/deps.ts";

export type MapperDeps = Pick<ConnectDeps, "db" | "withSession">;
