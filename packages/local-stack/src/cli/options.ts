import path from "node:path";
import { parseArgs } from "node:util";
import { messageOf, StackError } from "../errors.ts";
import { DEFAULT_PORT_BASE, parsePortBase } from "../settings.ts";

export interface CliOptions {
  command: string;
  rest: string[];
  projectRoot: string;
  dataDir: string;
  portBase: number;
  migrate: boolean;
  follow: boolean;
}

const PROJECT_ROOT = path.resolve(import.meta.dirname, "../../../..");

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): CliOptions {
  const [own, psqlArguments] = splitPsql(argv);
  const { values, positionals } = parse(own);
  const projectRoot = path.resolve(values["project-root"] ?? PROJECT_ROOT);
  const portText = values["port-base"] ?? env.PIPELINE_PORT_BASE;
  const source = values["port-base"] ? "--port-base" : "PIPELINE_PORT_BASE";
  return {
    command: positionals[0] ?? "",
    rest: [...positionals.slice(1), ...psqlArguments],
    projectRoot,
    dataDir: path.resolve(projectRoot, values["data-dir"] ?? env.PIPELINE_DATA_DIR ?? ".stack"),
    portBase: portText ? parsePortBase(portText, source) : DEFAULT_PORT_BASE,
    migrate: !values["no-migrate"],
    follow: values.follow ?? false,
  };
}

/** Everything after `psql` is for psql, but for the options that say which stack is meant. */
function splitPsql(argv: readonly string[]): [own: string[], psql: string[]] {
  const at = argv.indexOf("psql");
  if (at < 0) return [[...argv], []];
  const own = argv.slice(0, at + 1);
  const rest: string[] = [];
  for (let index = at + 1; index < argv.length; index++) {
    const word = argv[index] as string;
    if (/^--(data-dir|project-root|port-base)$/.test(word)) own.push(word, argv[++index] ?? "");
    else if (word !== "--") rest.push(word);
  }
  return [own, rest];
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        "port-base": { type: "string" },
        "data-dir": { type: "string" },
        "project-root": { type: "string" },
        "no-migrate": { type: "boolean" },
        follow: { type: "boolean", short: "f" },
      },
    });
  } catch (error) {
    // Node adds advice for programmers behind the first sentence.
    const [complaint = ""] = messageOf(error).split(". ");
    throw new StackError("bad_setting", `${complaint}. "npm run stack" lists the commands and options.`, {
      cause: error,
    });
  }
}
