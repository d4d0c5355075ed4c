import pc from "picocolors";

interface Program<T extends { help: boolean }> {
  help: string;
  readOptions: (args: string[]) => T;
  main: (options: T) => Promise<void>;
}

/** A command from its arguments to its exit code; what went wrong is one sentence. */
export async function runProgram<T extends { help: boolean }>({ help, readOptions, main }: Program<T>): Promise<never> {
  try {
    const options = readOptions(process.argv.slice(2));
    if (options.help) process.stdout.write(help);
    else await main(options);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`\n${pc.red("✗")} ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}
