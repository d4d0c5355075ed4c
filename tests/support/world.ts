import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { inject } from "vitest";
import { connectCrm } from "../../scripts/lib/oauth-browser.ts";
import { type Client, createAndSignIn, type Endpoint, type Role } from "../../scripts/lib/people.ts";
import { type Operation, runSync, type SyncRequest } from "../../scripts/lib/sync-run.ts";

export type Provider = "salesforce" | "hubspot";

export interface World {
  workspaceId: string;
  people: Record<Role, Client>;
  emails: Record<Role, string>;
}

export function endpoint(): Endpoint {
  const { apiUrl, publishableKey, secretKey } = inject("bench");
  return { apiUrl, publishableKey, secretKey };
}

/** A direct connection as the migration role, for looking behind the API. */
export function openSql() {
  return postgres(inject("bench").dbUrl, { max: 2, onnotice: () => {} });
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

/** Connected, and syncing only when the test says so: a scheduled run in between would be nobody's. */
export async function connect(world: World, provider: Provider): Promise<string> {
  const { owner } = world.people;
  const { workspaceId } = world;
  const configId = await connectCrm(owner, { provider, workspaceId, returnUrl: inject("bench").returnUrl });
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

/** The mock's control endpoint: knobs, edits, counters. */
export async function control<T = unknown>(provider: Provider, path: string, body?: unknown): Promise<T> {
  const { salesforceUrl, hubspotUrl } = inject("bench");
  const url = `${provider === "salesforce" ? salesforceUrl : hubspotUrl}/__control/${path}`;
  const init =
    body === undefined
      ? {}
      : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(url, init);
  if (!response.ok)
    throw new Error(`The mock ${provider} answered ${response.status} to ${path}: ${await response.text()}`);
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
