import { type CliOptions, readOptions } from "./cli/options.ts";
import { StackError } from "./errors.ts";
import type { StackState } from "./state.ts";

const USAGE = `npm run stack -- <command> [--port-base N] [--data-dir DIR]

  start [--no-migrate]   start the local Supabase stack in the background and apply pending migrations
  stop                   stop it, with everything it started
  status                 say whether it runs, with its addresses and keys
  reset                  stop it and throw its data away
  psql [arguments]       open the database (arguments go to psql)
  logs [name] [-f]       show a log: stack, postgres, rest or a function; with no name, list them`;

type Command = (options: CliOptions) => Promise<number>;

const COMMANDS: Record<string, Command> = { start, stop, status, reset, psql, logs };

function say(line: string): void {
  console.error(line);
}

async function start(options: CliOptions): Promise<number> {
  const { startInBackground } = await import("./cli/start.ts");
  const began = Date.now();
  await startInBackground(options, say);
  console.log(`The stack is ready after ${((Date.now() - began) / 1000).toFixed(1)} s.`);
  return status(options);
}

async function stop({ dataDir }: CliOptions): Promise<number> {
  const { stopStack } = await import("./cli/stop.ts");
  console.log((await stopStack(dataDir, say)) ? "The stack has stopped." : "The stack was not running.");
  return 0;
}

async function status({ dataDir }: CliOptions): Promise<number> {
  const { runningStack } = await import("./cli/stop.ts");
  const state = await runningStack(dataDir);
  if (!state) {
    console.log("The stack is not running.");
    return 3;
  }
  console.log(describe(state, dataDir));
  return 0;
}

function describe(state: StackState, dataDir: string): string {
  return [
    `  state            ${state.phase} (process ${state.pid}, since ${state.startedAt})`,
    `  API              ${state.apiUrl}`,
    `  functions        ${state.apiUrl}/functions/v1/<name>`,
    `  database         ${state.dbUrl}`,
    `  publishable key  ${state.publishableKey}`,
    `  secret key       ${state.secretKey}`,
    `  data             ${dataDir}`,
  ].join("\n");
}

async function reset({ dataDir }: CliOptions): Promise<number> {
  const { resetStack } = await import("./cli/stop.ts");
  await resetStack(dataDir, say);
  console.log("The stack's data is gone; the next start makes it anew.");
  return 0;
}

async function psql({ dataDir, rest }: CliOptions): Promise<number> {
  const [{ runningStack }, { openPsql }] = await Promise.all([import("./cli/stop.ts"), import("./cli/psql.ts")]);
  const state = await runningStack(dataDir);
  if (!state) throw new StackError("not_running", 'The stack is not running; "npm run stack -- start" starts it.');
  return openPsql(state.dbUrl, rest);
}

async function logs({ dataDir, rest, follow }: CliOptions): Promise<number> {
  const { showLogs } = await import("./cli/logs.ts");
  await showLogs(dataDir, rest[0], follow, process.stdout);
  return 0;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  const command = Object.hasOwn(COMMANDS, options.command) ? COMMANDS[options.command] : undefined;
  if (options.command === "" || options.command === "help") {
    console.error(USAGE);
    return 0;
  }
  if (!command) {
    console.error(`There is no command "${options.command}".\n\n${USAGE}`);
    return 2;
  }
  return command(options);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    // An error of our own is a sentence for the reader; any other is a bug, with its stack.
    console.error(error instanceof StackError ? error.message : error);
    process.exitCode = 1;
  },
);
