import { parseArgs } from "node:util";
import { z } from "zod";
import { StartError } from "./shared/start-error.ts";

export const USAGE = `Starts a mock CRM and prints one JSON line when it is ready.

  --provider salesforce|hubspot   which CRM (required)
  --port N                        port on 127.0.0.1; any free one when left out
  --data maven|demo|generated     salesforce: maven (default) or generated; hubspot: demo (default) or generated
  --records N                     generated: contacts; companies and deals follow at a tenth and a fifth
  --companies N  --deals N        generated: these numbers instead
  --seed N                        the same seed makes the same records (default 1)
  --dirty                         adds rows that a sync must reject one by one
  --knobs JSON                    knobs to start with, such as '{"latencyMs":20}'
  --redirect-uri URL              an allowed redirect; repeat for more; any loopback address when left out
  --state FILE                    keeps consents and tokens over a restart
  --data-folder FOLDER            another copy of the Maven files`;

const count = z.coerce.number().int().min(0);

const optionsSchema = z.strictObject({
  provider: z.enum(["salesforce", "hubspot"]),
  port: z.coerce.number().int().min(0).max(65_535).default(0),
  data: z.enum(["maven", "demo", "generated"]).optional(),
  records: count.optional(),
  companies: count.optional(),
  deals: count.optional(),
  seed: z.coerce.number().int().default(1),
  dirty: z.boolean().default(false),
  knobs: z.string().default("{}"),
  "redirect-uri": z.array(z.url()).optional(),
  state: z.string().optional(),
  "data-folder": z.string().optional(),
  help: z.boolean().default(false),
});
export type CliOptions = z.infer<typeof optionsSchema>;

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const FLAGS = {
  provider: text,
  port: text,
  data: text,
  records: text,
  companies: text,
  deals: text,
  seed: text,
  dirty: flag,
  knobs: text,
  "redirect-uri": { type: "string", multiple: true },
  state: text,
  "data-folder": text,
  help: flag,
} as const;

/** Reads the command line; null asks for the usage text. */
export function readOptions(args: readonly string[]): CliOptions | null {
  const { values } = parse(args);
  if (values.help === true) return null;
  const checked = optionsSchema.safeParse(values);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const name = String(issue?.path[0] ?? "options");
  const given = (values as Record<string, unknown>)[name];
  if (given === undefined) throw new StartError(`The option --${name} is missing; see --help.`);
  throw new StartError(`The option --${name} cannot be ${JSON.stringify(given)}: ${issue?.message ?? "not valid"}.`);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: false });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split(". ")[0] : String(cause);
    throw new StartError(`${reason}; see --help.`, cause);
  }
}
