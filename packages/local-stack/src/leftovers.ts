import { StackError } from "./errors.ts";
import { commandLine, endProcess } from "./processes.ts";
import type { Folders } from "./settings.ts";
import { childrenOf, readState, removeState } from "./state.ts";

/** A second stack on the same folder is an error; what a killed one left running is ended. */
export async function clearEarlierRun(folders: Folders, log: (line: string) => void): Promise<void> {
  const state = await readState(folders.state);
  if (!state) return;
  if (state.pid !== process.pid && (await commandLine(state.pid))?.includes("node")) {
    throw new StackError(
      "already_running",
      `The stack is already running on ${state.apiUrl} (process ${state.pid}); "npm run stop" ends it.`,
    );
  }
  for (const pid of childrenOf(state)) {
    if (!(await commandLine(pid))?.includes(`--stack=${folders.dataDir}`)) continue;
    log(`ending process ${pid} that an earlier run left behind`);
    await endProcess(pid, ["SIGTERM", "SIGKILL"], 2_000);
  }
  await removeState(folders.state);
}
