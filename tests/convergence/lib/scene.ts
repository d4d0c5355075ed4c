import type { Sql } from "postgres";
import type { CrmName } from "./fields.ts";
import type { Ledger } from "./ledger.ts";
import type { CrmSystem, System } from "./systems.ts";

export const CRMS = ["salesforce", "hubspot"] as const satisfies readonly CrmName[];

/** The three systems between which records go to and fro, and what people did there. */
export interface Scene {
  sql: Sql;
  workspace: string;
  configs: Record<CrmName, string>;
  app: System;
  crms: Record<CrmName, CrmSystem>;
  ledger: Ledger;
}

export function systemOf(scene: Pick<Scene, "app" | "crms">, name: System["name"]): System {
  return name === "app" ? scene.app : scene.crms[name];
}
