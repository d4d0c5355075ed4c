import { type Client, createAndSignIn, DEMO_PEOPLE, type Endpoint, type Person, type Role } from "../lib/people.ts";

export const DEMO_WORKSPACE = "Demo Projects";

export interface DemoWorkspace {
  id: string;
  owner: Client;
}

function demoPerson(role: Role): Person {
  const person = DEMO_PEOPLE.find((candidate) => candidate.role === role);
  if (!person) throw new Error(`The demo has no ${role}.`);
  return person;
}

async function ensureWorkspace(owner: Client): Promise<string> {
  const { data: known, error } = await owner
    .from("workspaces")
    .select("id")
    .eq("name", DEMO_WORKSPACE)
    .limit(1)
    .maybeSingle();
  if (error) throw new Error(`Could not read the workspaces: ${error.message}`, { cause: error });
  if (known) return known.id;
  const { data, error: refused } = await owner.rpc("create_workspace", { name: DEMO_WORKSPACE });
  if (refused) throw new Error(`Could not create the demo workspace: ${refused.message}`, { cause: refused });
  return data.id;
}

/** Invites and accepts as people do; somebody who is in already stays. */
async function ensureMember(endpoint: Endpoint, owner: Client, workspaceId: string, person: Person): Promise<void> {
  const client = await createAndSignIn(endpoint, person);
  const { data: mine, error } = await client.from("workspaces").select("id").eq("id", workspaceId).maybeSingle();
  if (error) throw new Error(error.message, { cause: error });
  if (mine) return;
  const { data: invitation, error: refused } = await owner.rpc("invite_member", {
    workspace_id: workspaceId,
    email: person.email,
    role: person.role,
  });
  if (refused) throw new Error(`Could not invite ${person.email}: ${refused.message}`, { cause: refused });
  const { error: notAccepted } = await client.rpc("accept_invitation", { token: invitation[0]?.token ?? "" });
  if (notAccepted) throw new Error(`${person.email} could not accept: ${notAccepted.message}`, { cause: notAccepted });
}

/** One workspace with an owner, an admin, a member and a viewer; running it again changes nothing. */
export async function seedDemo(endpoint: Endpoint): Promise<DemoWorkspace> {
  const owner = await createAndSignIn(endpoint, demoPerson("owner"));
  const id = await ensureWorkspace(owner);
  for (const role of ["admin", "member", "viewer"] as const) await ensureMember(endpoint, owner, id, demoPerson(role));
  return { id, owner };
}
