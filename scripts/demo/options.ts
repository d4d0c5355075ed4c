import { parseArgs } from "node:util";
import { parsePortBase } from "../lib/ports.ts";

export interface DemoOptions {
  once: boolean;
  json: boolean;
  portBase: number;
  help: boolean;
}

export const HELP = `npm start -- [options]

  --once           exit after the summary instead of staying up
  --json           one JSON object on stdout, progress on stderr (use with npm's --silent)
  --port-base N    first port of the block to use, default 54320 (also: PIPELINE_PORT_BASE)
  --help           this text
`;

export function readOptions(args: string[]): DemoOptions {
  const { values } = parseArgs({
    args,
    options: {
      once: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      "port-base": { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  return {
    once: values.once || values.json,
    json: values.json,
    portBase: parsePortBase(values["port-base"]),
    help: values.help,
  };
}
