import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { vi } from "vitest";
import { connectCrm } from "../../scripts/lib/oauth-browser.ts";
import { type Client, createAndSignIn, type Endpoint, type Role } from "../../scripts/lib/people.ts";
import { type Operation, runSync, type SyncRequest } from "../../scripts/lib/sync-run.ts";
import { bench } from "./bench.ts";

export type Provider = "salesforce" | "hubspot";

export interface World {
  workspaceId: string;
  people: Record<Role, Client>;
  emails: Record<Role, string>;
}

export function endpoint(): Endpoint {
  const { apiUrl, publishableKey, secretKey } = bench();
  return { apiUrl, publishableKey, secretKey };
}

/** A direct connection as the migration role, for looking behind the API. */
export function openSql() {
  return postgres(bench().dbUrl, { max: 2, onnotice: () => {} });
}

export const newPerson = (role: Role, tag: string) => ({
  role,
  email: `${role}-${tag}@test.example`,
  password: `pass-${tag}`,
  name: `${role} ${tag}`,
});

/** A workspace of its own with one person per role, made through the public API. */
export async function newWorld(): Promise<World> {
  const tag = randomUUID().slice(0, 8);
  const person = (role: Role) => newPerson(role, tag);
  const owner = await createAndSignIn(endpoint(), person("owner"));
  const { data: workspace, error } = await owner.rpc("create_workspace", { name: `Workspace ${tag}` });
  if (error) throw error;
  const join = async (role: Role): Promise<Client> => {
    const client = await createAndSignIn(endpoint(), person(role));
    const invited = await owner.rpc("invite_member", { workspace_id: workspace.id, email: person(role).email, role });
    if (invited.error) throw invited.error;
    const accepted = await client.rpc("accept_invitation", { token: invited.data[0]?.token ?? "" });
    if (accepted.error) throw accepted.error;
    return client;
  };
  const people = { owner, admin: await join("admin"), member: await join("member"), viewer: await join("viewer") };
  const emails = {
    owner: person("owner").email,
    admin: person("admin").email,
    member: person("member").email,
    viewer: person("viewer").email,
  };
  return { workspaceId: workspace.id, people, emails };
}

/** For tests that ask the database itself: a workspace and its owner, by id. */
export async function newPlace(): Promise<{ workspace: string; person: string }> {
  const { workspaceId: workspace, people } = await newWorld();
  const { data, error } = await people.owner.auth.getUser();
  if (error) throw error;
  return { workspace, person: data.user.id };
}

/** Connected, and syncing only when the test says so: a scheduled run in between would be nobody's. */
export async function connect(world: World, provider: Provider): Promise<string> {
  const { owner } = world.people;
  const { workspaceId } = world;
  const configId = await connectCrm(owner, { provider, workspaceId, returnUrl: bench().returnUrl });
  const { error } = await owner.from("crm_sync_configs").update({ sync_frequency: "manual" }).eq("id", configId);
  if (error) throw error;
  return configId;
}

export function sync(
  world: World,
  configId: string,
  onProgress: (operation: Operation) => void = () => {},
  request: SyncRequest = {},
): Promise<Operation> {
  return runSync(world.people.owner, configId, onProgress, request);
}

/**
 * What time does after a worker was killed: its lease runs out, and the sweep of each minute calls the next, until one has the
 * run or it has ended. The run itself goes on as it would.
 */
export async function passTimeAfterDeath(sql: ReturnType<typeof openSql>, operation: string): Promise<void> {
  const died = new Date();
  const eventually = { timeout: 30_000, interval: 25 };
  // The dead worker's last statement may still be at work in the database.
  await vi.waitUntil(async () => {
    const [last] = await sql`
      select count(*)::int as n from pg_stat_activity
       where application_name = 'pipeline-crm-functions' and state <> 'idle' and backend_start < ${died}`;
    return last?.n === 0;
  }, eventually);
  const fence = await liveFence(sql, operation);
  while (fence !== null && (await liveFence(sql, operation)) === fence) {
    await sql`
      update private.crm_operation_state set lease_expires_at = lease_expires_at - interval '1 hour', dispatched_at = null
       where operation_id = ${operation} and fence = ${fence}`;
    await sql`select private.crm_dispatch_waiting()`;
    const taken = async () => (await liveFence(sql, operation)) !== fence;
    // A call to a process that is just going down is lost, so the sweep comes again.
    await vi.waitUntil(taken, { ...eventually, timeout: 3_000 }).catch(() => {});
  }
}

/** null: the run has ended. */
async function liveFence(sql: ReturnType<typeof openSql>, operation: string): Promise<string | null> {
  const [row] = await sql<{ fence: string }[]>`
    select s.fence::text as fence
      from private.crm_operation_state s
      join public.crm_sync_operations o on o.id = s.operation_id and o.status in ('queued', 'running')
     where s.operation_id = ${operation}`;
  return row?.fence ?? null;
}

/** The mock's control endpoint: knobs, edits, counters. */
export async function control<T = unknown>(provider: Provider, path: string, body?: unknown): Promise<T> {
  const { salesforceUrl, hubspotUrl } = bench();
  return controlAt(provider === "salesforce" ? salesforceUrl : hubspotUrl, path, body);
}

export async function controlAt<T = unknown>(mockUrl: string, path: string, body?: unknown): Promise<T> {
  const init =
    body === undefined
      ? {}
      : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`${mockUrl}/__control/${path}`, init);
  if (!response.ok)
    throw new Error(`The mock at ${mockUrl} answered ${response.status} to ${path}: ${await response.text()}`);
  return (await response.json()) as T;
}

export interface MockAction {
  action: "create" | "edit" | "delete" | "undelete" | "dirty";
  type: string;
  id?: string;
  fields?: Record<string, unknown>;
}

/** Changes one record in the mock as somebody using that CRM would (or, with `dirty`, past its own checks); resolves with its id. */
export async function editMock(provider: Provider, action: MockAction): Promise<string> {
  const { results } = await control<{ results: { id: string }[] }>(provider, "records", { actions: [action] });
  const [result] = results;
  if (!result) throw new Error(`The mock ${provider} did not answer to ${JSON.stringify(action)}.`);
  return result.id;
}
