import { join } from "node:path";
import { parseArgs } from "node:util";
import { parsePortBase } from "../../lib/ports.ts";
import { PROJECT_ROOT } from "../../lib/workbench.ts";

export interface PlanningOptions {
  json: boolean;
  /** Where the page goes. */
  out: string;
  /** null: any that are free. */
  portBase: number | null;
  help: boolean;
}

export const HELP = `npm run demo:planning -- [options]

  --out FILE       where the report goes, default .stack/planning-report.html
  --json           the numbers as one JSON object on stdout, progress on stderr (use with npm's --silent)
  --port-base N    first port of the block to use, default any that is free
  --help           this text
`;

export function readOptions(args: string[]): PlanningOptions {
  const { values } = parseArgs({
    args,
    options: {
      out: { type: "string", default: join(PROJECT_ROOT, ".stack", "planning-report.html") },
      json: { type: "boolean", default: false },
      "port-base": { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const portBase = values["port-base"];
  return {
    json: values.json,
    out: values.out,
    portBase: portBase === undefined ? null : parsePortBase(portBase),
    help: values.help,
  };
}
