import { connectCrm, startReturnPage } from "../lib/oauth-browser.ts";
import type { Client } from "../lib/people.ts";
import { runSync } from "../lib/sync-run.ts";
import type { Workbench } from "../lib/workbench.ts";
import type { DemoConsole } from "./console.ts";
import type { DemoWorkspace } from "./seed.ts";

export type Provider = "salesforce" | "hubspot";
export const PROVIDER_NAMES: Record<Provider, string> = { salesforce: "Salesforce", hubspot: "HubSpot" };

export interface ConnectionResult {
  accounts: number;
  contacts: number;
  opportunities: number;
  seconds: number;
  status: string;
}

/** Goes through the real consent redirects; a connection that exists is renewed and keeps its mappings and links. */
export async function connectBoth(workbench: Workbench, workspace: DemoWorkspace): Promise<Record<Provider, string>> {
  const page = await startReturnPage(workbench.ports.returnPage);
  try {
    const request = { workspaceId: workspace.id, returnUrl: workbench.returnUrl };
    return {
      salesforce: await connectCrm(workspace.owner, { ...request, provider: "salesforce" }),
      hubspot: await connectCrm(workspace.owner, { ...request, provider: "hubspot" }),
    };
  } finally {
    await page.close();
  }
}

async function countRecords(client: Client, configId: string) {
  const { data, error } = await client.rpc("crm_connection_counts", { config_id: configId });
  if (error) throw new Error(`Could not count the records: ${error.message}`, { cause: error });
  const counts = { accounts: 0, contacts: 0, opportunities: 0 };
  for (const row of data) counts[row.entity_type as keyof typeof counts] = Number(row.records);
  return counts;
}

export async function syncOne(
  provider: Provider,
  configId: string,
  client: Client,
  console: DemoConsole,
): Promise<ConnectionResult> {
  const bars = console.progress(`Syncing ${PROVIDER_NAMES[provider]} …`);
  const started = performance.now();
  try {
    const operation = await runSync(client, configId, bars.show, { direction: "from_crm" });
    const seconds = Math.round((performance.now() - started) / 10) / 100;
    if (operation.status === "failed" || operation.status === "paused") {
      throw new Error(
        `The ${PROVIDER_NAMES[provider]} sync is ${operation.status}: ${operation.error_message ?? "no reason was recorded"}`,
      );
    }
    return { ...(await countRecords(client, configId)), seconds, status: operation.status };
  } finally {
    bars.stop();
  }
}
