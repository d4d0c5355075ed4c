import type { Database } from "@pipeline-crm/shared-types";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import WebSocket from "ws";

export type Role = "owner" | "admin" | "member" | "viewer";
export type Client = SupabaseClient<Database>;

export interface Endpoint {
  apiUrl: string;
  publishableKey: string;
  secretKey: string;
}

export interface Person {
  role: Role;
  email: string;
  password: string;
  name: string;
}

export const DEMO_PEOPLE: readonly Person[] = [
  { role: "owner", email: "owner@demo.example", password: "demo-owner-2026", name: "Olivia Owner" },
  { role: "admin", email: "admin@demo.example", password: "demo-admin-2026", name: "Adam Admin" },
  { role: "member", email: "member@demo.example", password: "demo-member-2026", name: "Mia Member" },
  { role: "viewer", email: "viewer@demo.example", password: "demo-viewer-2026", name: "Victor Viewer" },
];

// Node 20 has no WebSocket of its own; the client takes one.
type RealtimeTransport = NonNullable<NonNullable<Parameters<typeof createClient>[2]>["realtime"]>["transport"];
const transport = WebSocket as unknown as RealtimeTransport;

/** A supabase-js client as an app has it: publishable key, own session in memory. */
export function appClient(endpoint: Endpoint): Client {
  return createClient<Database>(endpoint.apiUrl, endpoint.publishableKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { transport },
  });
}

/** Creates a confirmed user; resolves quietly when the address already has one. */
async function ensureUser(endpoint: Endpoint, person: Person): Promise<void> {
  const response = await fetch(`${endpoint.apiUrl}/auth/v1/admin/users`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      apikey: endpoint.secretKey,
      authorization: `Bearer ${endpoint.secretKey}`,
    },
    body: JSON.stringify({
      email: person.email,
      password: person.password,
      email_confirm: true,
      user_metadata: { full_name: person.name },
    }),
  });
  if (response.ok || response.status === 422) return;
  throw new Error(`Could not create the user ${person.email} (${response.status}): ${await response.text()}`);
}

export async function signIn(endpoint: Endpoint, person: Pick<Person, "email" | "password">): Promise<Client> {
  const client = appClient(endpoint);
  const { error } = await client.auth.signInWithPassword({ email: person.email, password: person.password });
  if (error) throw new Error(`Could not sign in as ${person.email}: ${error.message}`, { cause: error });
  return client;
}

export async function createAndSignIn(endpoint: Endpoint, person: Person): Promise<Client> {
  await ensureUser(endpoint, person);
  return signIn(endpoint, person);
}
