import type { ProjectConfig } from "../config.ts";

/** What the stack and its REST process say to each other over the process channel. */
export interface RestSettings {
  port: number;
  dbPort: number;
  apiUrl: string;
  /** The database server, which this process ends when the stack dies without a word. */
  dbPid: number;
  config: ProjectConfig;
}

export type ToRest = { kind: "configure"; settings: RestSettings } | { kind: "reload"; id: number };
export type FromRest = { kind: "ready" } | { kind: "failed"; message: string } | { kind: "reloaded"; id: number };
