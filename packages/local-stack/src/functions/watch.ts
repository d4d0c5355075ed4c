import { existsSync, type FSWatcher, watch } from "node:fs";
import path from "node:path";
import { messageOf } from "../errors.ts";
import { SLUG } from "./source.ts";

const QUIET_MS = 60;

/** The functions whose code changed, or "everything" when something they share did. */
export type Changed = ReadonlySet<string> | "everything";

/** Calls back once after a burst of changes in supabase/functions or supabase/config.toml. */
export function watchFunctions(
  functionsRoot: string,
  changed: (what: Changed) => void,
  log: (line: string) => void,
): { close(): void } {
  let touched = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  function note(file: string): void {
    if (file.includes("node_modules") || /~$|\.sw.$/.test(file)) return;
    touched.add(file.split(path.sep)[0] ?? "");
    clearTimeout(timer);
    timer = setTimeout(() => {
      const names = touched;
      touched = new Set();
      // What is not a function's own folder (_shared, .env, config.toml) may concern them all.
      changed([...names].some((name) => !SLUG.test(name)) ? "everything" : names);
    }, QUIET_MS);
    timer.unref();
  }

  const watchers = startWatchers(functionsRoot, note);
  for (const each of watchers) {
    each.unref();
    each.on("error", (error) => log(`watching the functions failed: ${messageOf(error)}`));
  }
  return {
    close: () => {
      clearTimeout(timer);
      for (const each of watchers) each.close();
    },
  };
}

function startWatchers(functionsRoot: string, note: (file: string) => void): FSWatcher[] {
  const supabase = path.dirname(functionsRoot);
  const watchers: FSWatcher[] = [];
  if (existsSync(supabase)) watchers.push(watch(supabase, (_, file) => file === "config.toml" && note("_config")));
  if (existsSync(functionsRoot)) {
    watchers.push(watch(functionsRoot, { recursive: true }, (_, file) => file && note(file)));
  }
  return watchers;
}
