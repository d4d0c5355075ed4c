import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { SupabaseClient } from "@supabase/supabase-js";

/** What the client app does when an admin presses "Connect": start, visit the CRM, come back, finish. */
export interface ConnectRequest {
  provider: "salesforce" | "hubspot";
  workspaceId: string;
  /** Where the CRM's answer is sent back to: must be on the project's allow-list. */
  returnUrl: string;
}

export interface Started {
  authorize_url: string;
  browser_key: string;
  expires_at: string;
}

/** Follows redirects as a browser would, hop by hop, until it reaches the return page. */
async function visit(url: string, returnUrl: string): Promise<URL> {
  let current = url;
  for (let hop = 0; hop < 10; hop += 1) {
    if (current.startsWith(returnUrl)) return new URL(current);
    const response = await fetch(current, { redirect: "manual" });
    const location = response.headers.get("location");
    if (!location)
      throw new Error(
        `The consent stopped at ${new URL(current).pathname} (${response.status}): ${await response.text()}`,
      );
    current = new URL(location, current).toString();
  }
  throw new Error("The consent redirects in a circle.");
}

export async function readProblem(error: unknown): Promise<string> {
  const context = (error as { context?: unknown }).context;
  if (context instanceof Response) {
    const text = await context.text();
    try {
      const problem = JSON.parse(text) as { detail?: string; title?: string };
      return problem.detail ?? problem.title ?? text;
    } catch {
      return text;
    }
  }
  return error instanceof Error ? error.message : String(error);
}

async function call<T>(client: SupabaseClient, path: string, body: object): Promise<T> {
  const { data, error } = await client.functions.invoke(`crm-oauth/${path}`, { body });
  if (error) throw new Error(await readProblem(error), { cause: error });
  return data as T;
}

/** Runs one whole OAuth round trip as the signed-in user of `client`; resolves with the connection's id. */
export async function connectCrm(client: SupabaseClient, request: ConnectRequest): Promise<string> {
  const started = await call<Started>(client, "start", {
    provider: request.provider,
    workspace_id: request.workspaceId,
    return_url: request.returnUrl,
  });
  const landed = await visit(started.authorize_url, request.returnUrl);
  const denied = landed.searchParams.get("crm_error");
  if (denied) throw new Error(`The CRM refused the connection: ${denied}.`);
  const finished = await call<{ config: { id: string } }>(client, "callback", {
    code: landed.searchParams.get("crm_code"),
    state: landed.searchParams.get("crm_state"),
    browser_key: started.browser_key,
  });
  return finished.config.id;
}

/** A loopback page that stands for the client app's return page. */
export async function startReturnPage(port = 0): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((_request, response) => response.end("You can close this window."));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const { port: actual } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${actual}/connected`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
