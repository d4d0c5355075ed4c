import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Stack, startStack } from "@pipeline-crm/local-stack";
import { crmFunctionsEnv, LOCAL_CRM_CLIENT } from "../../scripts/lib/crm-env.ts";
import { type MockProcess, startMock } from "../../scripts/lib/mock-process.ts";
import { startReturnPage } from "../../scripts/lib/oauth-browser.ts";
import { portsFrom } from "../../scripts/lib/ports.ts";
import { storeSecrets } from "../../scripts/lib/vault.ts";
import { PROJECT_ROOT } from "../../scripts/lib/workbench.ts";

export type Provider = "salesforce" | "hubspot";

export interface BedOptions {
  provider: Provider;
  records: number;
  portBase: number;
}

/** A new local Supabase with one mock CRM of generated records: nothing else runs beside what is measured. */
export interface Bed {
  provider: Provider;
  stack: Stack;
  mock: MockProcess;
  returnUrl: string;
}

export async function withBed<T>(options: BedOptions, run: (bed: Bed) => Promise<T>): Promise<T> {
  const { provider, records, portBase } = options;
  const ports = portsFrom(portBase);
  const undo: (() => unknown)[] = [];
  try {
    const dataDir = mkdtempSync(join(tmpdir(), "pipeline-bench-"));
    undo.push(() => rmSync(dataDir, { recursive: true, force: true }));
    const stack = await startStack({
      projectRoot: PROJECT_ROOT,
      dataDir,
      portBase,
      functionsEnv: crmFunctionsEnv(ports),
    });
    undo.push(() => stack.stop());
    await storeSecrets(stack.dbUrl, {
      [`crm_${provider}_client_secret`]: LOCAL_CRM_CLIENT.secret,
      project_url: stack.apiUrl,
    });
    const mock = await startMock(PROJECT_ROOT, { provider, port: ports[provider], data: "generated", records });
    undo.push(() => mock.stop());
    const page = await startReturnPage(ports.returnPage);
    undo.push(() => page.close());
    return await run({ provider, stack, mock, returnUrl: page.url });
  } finally {
    for (const step of undo.reverse()) await step();
  }
}
