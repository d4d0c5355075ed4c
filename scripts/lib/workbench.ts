import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Stack, startStack } from "@pipeline-crm/local-stack";
import { crmFunctionsEnv, LOCAL_CRM_CLIENT } from "./crm-env.ts";
import { type MockProcess, startMock } from "./mock-process.ts";
import { portsFrom } from "./ports.ts";
import { storeSecrets } from "./vault.ts";

export type Ports = ReturnType<typeof portsFrom>;

export const PROJECT_ROOT = join(fileURLToPath(new URL(".", import.meta.url)), "..", "..");

export interface WorkbenchOptions {
  portBase: number;
  dataDir: string;
  say: (line: string) => void;
  /** Mocks without a record, in place of those with the demo's. */
  emptyCrms?: boolean;
  /** Another copy of the Maven files for the mock Salesforce. */
  mavenFolder?: string;
}

/** A local Supabase with both mock CRMs beside it, configured as an operator would configure a project. */
export interface Workbench {
  stack: Stack;
  ports: Ports;
  returnUrl: string;
  mocks: { salesforce: MockProcess; hubspot: MockProcess };
  stop(): Promise<void>;
}

const EMPTY = { data: "generated", records: 0 } as const;

async function startMocks({ dataDir, emptyCrms = false, mavenFolder }: WorkbenchOptions, ports: Ports) {
  const stateFile = (name: string) => join(dataDir, `mock-${name}.json`);
  const redirectUri = `http://127.0.0.1:${ports.api}/functions/v1/crm-oauth/callback`;
  const [salesforce, hubspot] = await Promise.allSettled([
    startMock(PROJECT_ROOT, {
      provider: "salesforce",
      port: ports.salesforce,
      ...(emptyCrms ? EMPTY : { data: "maven", dataFolder: mavenFolder }),
      redirectUri,
      stateFile: stateFile("salesforce"),
    }),
    startMock(PROJECT_ROOT, {
      provider: "hubspot",
      port: ports.hubspot,
      ...(emptyCrms ? EMPTY : { data: "demo" }),
      redirectUri,
      stateFile: stateFile("hubspot"),
    }),
  ]);
  if (salesforce.status === "fulfilled" && hubspot.status === "fulfilled") {
    return { salesforce: salesforce.value, hubspot: hubspot.value };
  }
  for (const started of [salesforce, hubspot]) if (started.status === "fulfilled") await started.value.stop();
  throw salesforce.status === "rejected" ? salesforce.reason : (hubspot as PromiseRejectedResult).reason;
}

/** Starts everything; a failure half-way stops what had already started. */
export async function startWorkbench(options: WorkbenchOptions): Promise<Workbench> {
  const ports = portsFrom(options.portBase);
  options.say("Starting the database, the API, Realtime and the functions …");
  const stack = await startStack({
    projectRoot: PROJECT_ROOT,
    dataDir: options.dataDir,
    portBase: options.portBase,
    functionsEnv: crmFunctionsEnv(ports),
  });
  try {
    await storeSecrets(stack.dbUrl, {
      crm_salesforce_client_secret: LOCAL_CRM_CLIENT.secret,
      crm_hubspot_client_secret: LOCAL_CRM_CLIENT.secret,
      crm_sync_dispatch_secret: randomBytes(32).toString("base64url"),
      project_url: stack.apiUrl,
    });
    options.say("Starting the mock Salesforce and the mock HubSpot …");
    const mocks = await startMocks(options, ports);
    return {
      stack,
      ports,
      mocks,
      returnUrl: `http://127.0.0.1:${ports.returnPage}/connected`,
      async stop() {
        await Promise.all([mocks.salesforce.stop(), mocks.hubspot.stop()]);
        await stack.stop();
      },
    };
  } catch (error) {
    await stack.stop();
    throw error;
  }
}
