import { existsSync } from "node:fs";
import path from "node:path";
import type { ProjectConfig } from "../config.ts";

export const SLUG = /^[A-Za-z][A-Za-z0-9_-]*$/;

/** Where a function's code is and how it is to be run. */
export interface FunctionSource {
  folder: string;
  entry: string;
  /** Its deno.json or import map, when it has one. */
  denoConfig: string | undefined;
  verifyJwt: boolean;
}

/** The function of that name, or undefined when there is none, or when config.toml turns it off. */
export function findFunction(projectRoot: string, config: ProjectConfig, name: string): FunctionSource | undefined {
  if (!SLUG.test(name)) return undefined;
  const supabase = path.join(projectRoot, "supabase");
  const folder = path.join(supabase, "functions", name);
  const settings = config.functions[name];
  const entry = settings?.entrypoint ? path.resolve(supabase, settings.entrypoint) : path.join(folder, "index.ts");
  if (settings?.enabled === false || !existsSync(entry)) return undefined;
  const configured = settings?.import_map ? [path.resolve(supabase, settings.import_map)] : [];
  const candidates = [...configured, path.join(folder, "deno.json"), path.join(folder, "deno.jsonc")];
  return {
    folder,
    entry,
    denoConfig: candidates.find((file) => existsSync(file)),
    verifyJwt: settings?.verify_jwt ?? true,
  };
}
