import type { Client } from "../lib/people.ts";
import { runSync } from "../lib/sync-run.ts";
import type { DemoWorkspace } from "./seed.ts";

export interface TwoWayMoment {
  deal: string;
  next_step: string;
  /** As Salesforce shows it afterwards. */
  in_salesforce: string | null;
  seconds: number;
}

/** The demo's two CRMs have their own records; each keeps to them, so that the numbers stay those of the data. */
export async function keepApart(client: Client, configIds: readonly string[]): Promise<void> {
  const { error } = await client
    .from("crm_sync_configs")
    .update({ sync_rules: { create_in_crm: false } })
    .in("id", configIds);
  if (error) throw new Error(`Could not set the connections up: ${error.message}`, { cause: error });
}

/** Writes the next step of one deal here, syncs, and reads it back from the mock Salesforce. */
export async function showTwoWay(
  { id: workspaceId, owner }: DemoWorkspace,
  configId: string,
  salesforceUrl: string,
): Promise<TwoWayMoment> {
  const started = performance.now();
  const { Id, Name } = await firstDeal(salesforceUrl);
  const next_step = `Call ${Name} back (${new Date().toISOString().slice(0, 19).replace("T", " ")})`;
  const { error } = await owner
    .from("pipeline_projects")
    .update({ next_steps: next_step })
    .eq("workspace_id", workspaceId)
    .eq("crm_id", Id);
  if (error) throw new Error(`Could not edit a deal: ${error.message}`, { cause: error });
  const operation = await runSync(owner, configId, () => {}, { direction: "to_crm", entities: ["opportunities"] });
  if (operation.status !== "completed")
    throw new Error(`The sync to Salesforce is ${operation.status}: ${operation.error_message ?? "no reason"}`);
  const { NextStep } = await firstDeal(salesforceUrl);
  return {
    deal: Name,
    next_step,
    in_salesforce: NextStep,
    seconds: Math.round((performance.now() - started) / 10) / 100,
  };
}

interface MockDeal {
  Id: string;
  Name: string;
  NextStep: string | null;
}

async function firstDeal(salesforceUrl: string): Promise<MockDeal> {
  const response = await fetch(`${salesforceUrl}/__control/records?type=Opportunity&from=0&count=1`);
  const { records } = (await response.json()) as { records: MockDeal[] };
  const [deal] = records;
  if (!deal) throw new Error("The mock Salesforce has no deal.");
  return deal;
}
