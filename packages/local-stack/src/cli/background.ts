import { messageOf } from "../errors.ts";
import { type StackOptions, startStack } from "../stack.ts";

/** The process that `stack start` leaves running. It reports to its parent once, then lives until it gets a signal. */
export type FromBackground = { kind: "log"; line: string } | { kind: "ready" } | { kind: "failed"; message: string };

function tell(message: FromBackground): void {
  if (process.connected) process.send?.(message);
}

function log(line: string): void {
  console.log(`${new Date().toISOString()} ${line}`);
  tell({ kind: "log", line });
}

process.once("message", (options: StackOptions) => {
  const starting = startStack({ ...options, log });
  let ending = false;
  const end = (signal: string) => {
    if (ending) return;
    ending = true;
    log(`ending on ${signal}`);
    starting
      .then((stack) => stack.stop())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          log(messageOf(error));
          process.exit(1);
        },
      );
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => end(signal));
  starting.then(
    () => {
      tell({ kind: "ready" });
      if (process.connected) process.disconnect();
    },
    (error: unknown) => {
      tell({ kind: "failed", message: messageOf(error) });
      process.exit(1);
    },
  );
});
