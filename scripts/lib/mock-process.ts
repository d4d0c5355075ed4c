import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface MockOptions {
  provider: "salesforce" | "hubspot";
  port: number;
  /** `maven` (Salesforce): the Maven Analytics data; `demo` (HubSpot): its companion; `generated`: `records` seeded contacts. */
  data: "maven" | "demo" | "generated";
  records?: number;
  /** Another copy of the Maven files. */
  dataFolder?: string;
  redirectUri?: string;
  /** Where consents and tokens outlive a restart. */
  stateFile?: string;
}

export interface MockProcess {
  url: string;
  stop(): Promise<void>;
}

function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}

/** Starts one mock CRM as a process of its own, so that its work is not on the stack's event loop. */
export async function startMock(projectRoot: string, options: MockOptions): Promise<MockProcess> {
  const args = ["--import", "tsx", "packages/mock-crm/src/cli.ts"];
  args.push("--provider", options.provider, "--port", String(options.port), "--data", options.data);
  if (options.records !== undefined) args.push("--records", String(options.records));
  if (options.dataFolder !== undefined) args.push("--data-folder", options.dataFolder);
  if (options.redirectUri !== undefined) args.push("--redirect-uri", options.redirectUri);
  if (options.stateFile !== undefined) args.push("--state", options.stateFile);
  const child = spawn(process.execPath, args, { cwd: projectRoot, stdio: ["ignore", "pipe", "pipe"] });
  const complaints: string[] = [];
  child.stderr.on("data", (chunk: Buffer) => complaints.push(chunk.toString()));
  const url = await new Promise<string>((resolve, reject) => {
    const lines = createInterface({ input: child.stdout });
    lines.once("line", (line) => {
      try {
        resolve((JSON.parse(line) as { url: string }).url);
      } catch (cause) {
        reject(new Error(`The mock ${options.provider} said something unexpected: ${line}`, { cause }));
      }
    });
    child.once("exit", () =>
      reject(new Error(complaints.join("").trim() || `The mock ${options.provider} ended at once.`)),
    );
  });
  return { url, stop: () => stopChild(child) };
}
