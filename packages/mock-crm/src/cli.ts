import { z } from "zod";
import { type CliOptions, readOptions, USAGE } from "./cli-options.ts";
import { startHubSpotMock } from "./hubspot/mock.ts";
import { startSalesforceMock } from "./salesforce/mock.ts";
import { type Knobs, knobsPatchSchema } from "./shared/knobs.ts";
import type { Mock } from "./shared/mock.ts";
import { StartError } from "./shared/start-error.ts";

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    console.log(USAGE);
    return;
  }
  const mock = await start(options);
  const { provider } = options;
  console.log(
    JSON.stringify({
      ready: true,
      provider,
      url: mock.url,
      port: mock.port,
      pid: process.pid,
      ...mock.control.state(),
    }),
  );
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop(mock));
}

function start(options: CliOptions): Promise<Mock> {
  const { port, seed, dirty, records, companies, deals } = options;
  const common = {
    port,
    seed,
    dirty,
    records,
    companies,
    deals,
    knobs: readKnobs(options.knobs),
    client: options["redirect-uri"] === undefined ? {} : { redirectUris: options["redirect-uri"] },
    stateFile: options.state,
    dataFolder: options["data-folder"],
  };
  const { provider, data } = options;
  if (provider === "salesforce")
    return startSalesforceMock({ ...common, data: oneOf(data, ["maven", "generated"], provider) });
  return startHubSpotMock({ ...common, data: oneOf(data, ["demo", "generated"], provider) });
}

function oneOf<T extends string>(data: string | undefined, known: readonly T[], provider: string): T | undefined {
  const found = known.find((name) => name === data);
  if (data === undefined || found !== undefined) return found;
  throw new StartError(`The mock ${provider} has no data set "${data}"; choose ${known.join(" or ")}.`);
}

function readKnobs(text: string): Partial<Knobs> {
  try {
    return knobsPatchSchema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause).split("\n")[0] : "it is not JSON";
    throw new StartError(`The option --knobs cannot be read: ${reason}.`, cause);
  }
}

function stop(mock: Mock): void {
  mock.stop().then(
    () => process.exit(0),
    (error: unknown) => fail(error),
  );
}

function fail(error: unknown): void {
  if (error instanceof StartError) console.error(error.message);
  else console.error(error);
  process.exit(1);
}

main().catch(fail);
