import { randomUUID } from "node:crypto";
import type { Sql } from "postgres";
import { connectCrm } from "../../scripts/lib/oauth-browser.ts";
import { type Client, createAndSignIn } from "../../scripts/lib/people.ts";
import type { Bed } from "./bed.ts";

export interface BenchWorkspace {
  client: Client;
  workspaceId: string;
  configId: string;
}

/** A new person with a workspace of their own, connected to the bed's CRM. */
export async function connectedWorkspace(bed: Bed, sql: Sql): Promise<BenchWorkspace> {
  const email = `${randomUUID()}@bench.example`;
  const client = await createAndSignIn(bed.stack, { role: "owner", email, password: randomUUID(), name: "Bench" });
  const [own] = await sql<{ id: string }[]>`
    select workspace_id as id from public.workspace_members where email = ${email}`;
  if (own === undefined) throw new Error("Signing up made no workspace.");
  const configId = await connectCrm(client, {
    provider: bed.provider,
    workspaceId: own.id,
    returnUrl: bed.returnUrl,
  });
  return { client, workspaceId: own.id, configId };
}

/** Our own limits of calls, which follow the CRM's, are lifted: what is left is the time that the work takes. */
export async function liftCallLimits(sql: Sql): Promise<void> {
  await sql`update private.crm_call_limits set calls = 1000000`;
}

export interface SyncRequest {
  entities?: string[];
  direction?: "from_crm" | "to_crm" | "bidirectional";
}

/** Starts a run and waits for its end; answers how long it took from request to end, as the database saw it. */
export async function timedSync(
  { client, configId }: BenchWorkspace,
  sql: Sql,
  request: SyncRequest = {},
): Promise<number> {
  const { data, error } = await client.rpc("crm_start_sync", { config_id: configId, ...request });
  if (error) throw new Error(error.message);
  const { id } = data as unknown as { id: string };
  for (;;) {
    const [run] = await sql<{ status: string; message: string | null; seconds: number }[]>`
      select status, error_message as message, extract(epoch from completed_at - created_at)::float8 as seconds
        from public.crm_sync_operations where id = ${id}`;
    if (run?.status === "completed") return run.seconds;
    if (run !== undefined && !["queued", "running", "paused"].includes(run.status)) {
      throw new Error(`The sync ended ${run.status}: ${run.message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function control(bed: Bed, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${bed.mock.url}/__control/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`The mock refused /__control/${path}: ${await response.text()}`);
  return response.json();
}
