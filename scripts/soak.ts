import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { type Beds, openBeds, startGround } from "../tests/convergence/lib/bed.ts";
import { BEDS, type Failure, faultsOf, historiesOf, playHistories } from "../tests/convergence/lib/histories.ts";

/** Plays as many histories as asked for, or as fit into the time. What fails is printed as JSON: kept in a file, --replay plays it again. */
const { values: options } = parseArgs({
  options: {
    histories: { type: "string", default: "2000" },
    minutes: { type: "string", default: "60" },
    seed: { type: "string" },
    replay: { type: "string" },
    "port-base": { type: "string", default: "17300" },
  },
});

const SAY_EVERY_MS = 15_000;
const started = Date.now();
const minutes = () => Math.round((Date.now() - started) / 60_000);
const number = (value: number) => value.toLocaleString("en-US");
const say = (line: string) => process.stderr.write(`${line}\n`);

let stopped = false;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    stopped = true;
    say("Stopping after the histories that are being played …");
  });

function positive(name: "histories" | "minutes"): number {
  const given = Number(options[name]);
  if (Number.isInteger(given) && given > 0) return given;
  throw new Error(`--${name} has to be a whole number above 0, not "${options[name]}".`);
}

async function replay(beds: Beds, file: string): Promise<boolean> {
  const { history, number, seed } = JSON.parse(await readFile(file, "utf8")) as Failure;
  const [bed] = beds.all;
  if (bed === undefined) throw new Error("There is no bed to play on.");
  const faults = await faultsOf(bed, history);
  for (const fault of faults) say(fault);
  process.stdout.write(`history ${number} of seed ${seed}, ${faults.length} faults\n`);
  return faults.length === 0;
}

async function soak(beds: Beds): Promise<boolean> {
  const count = positive("histories");
  const until = started + positive("minutes") * 60_000;
  const seed = options.seed === undefined ? Date.now() % 1_000_000_000 : Number(options.seed);
  if (!Number.isInteger(seed)) throw new Error(`--seed has to be a whole number, not "${options.seed}".`);
  say(`Playing ${number(count)} histories, seed ${seed} …`);
  let said = Date.now();
  const { played, failure } = await playHistories({
    beds: beds.all,
    seed,
    histories: historiesOf(seed, count),
    mayGoOn: () => !stopped && Date.now() < until,
    onPlayed: (done) => {
      if (Date.now() - said < SAY_EVERY_MS) return;
      said = Date.now();
      say(`  ${number(done)} of ${number(count)}, ${minutes()} min`);
    },
  });
  if (failure !== null) {
    say(`History ${failure.number} failed:`);
    for (const fault of failure.faults) say(`  ${fault}`);
    process.stdout.write(`${JSON.stringify(failure)}\n`);
  } else if (played < count) say("Stopped before the last one.");
  const faults = failure?.faults.length ?? 0;
  process.stdout.write(`${number(played)} histories, ${number(faults)} faults, seed ${seed}, ${minutes()} min\n`);
  return failure === null;
}

async function main(): Promise<boolean> {
  const ground = await startGround(Number(options["port-base"]));
  try {
    const beds = await openBeds(ground.dbUrl, options.replay === undefined ? BEDS : 1);
    const went = options.replay === undefined ? await soak(beds) : await replay(beds, options.replay);
    await beds.close();
    return went;
  } finally {
    await ground.stop();
  }
}

main().then(
  (well) => {
    process.exitCode = well ? 0 : 1;
  },
  (error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  },
);
