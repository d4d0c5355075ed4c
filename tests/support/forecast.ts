import type { Database } from "@pipeline-crm/shared-types";
import { FunctionsHttpError } from "@supabase/supabase-js";
import { expect } from "vitest";
import type { Client } from "../../scripts/lib/people.ts";
import type { World } from "./world.ts";

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: an answer is looked into by the test that asked for it.
  body: any;
}

/** pipeline-forecast as an app calls it; a refusal has to be a problem. */
export async function askForecast(client: Client, route: string, body: object): Promise<Answer> {
  const { data, error, response } = await client.functions.invoke(`pipeline-forecast/${route}`, {
    body: body as Record<string, unknown>,
  });
  if (error === null) return { status: response?.status ?? 200, body: data };
  if (!(error instanceof FunctionsHttpError)) throw error;
  const refusal = error.context as Response;
  expect(refusal.headers.get("content-type")).toContain("application/problem+json");
  return { status: refusal.status, body: await refusal.json() };
}

/** The day of the forecasts that tests reckon by hand. */
export const AS_OF = "2026-11-02";

export const forecastOf = (world: World, body: object = {}, who: "owner" | "member" | "viewer" = "member") =>
  askForecast(world.people[who], "forecast", { workspace_id: world.workspaceId, as_of: AS_OF, ...body });

type NewDeal = Omit<Database["public"]["Tables"]["pipeline_projects"]["Insert"], "workspace_id">;

/** Ids in the order of the deals. */
export async function addDeals({ workspaceId, people }: World, deals: readonly NewDeal[]): Promise<string[]> {
  const rows = deals.map((deal) => ({ ...deal, workspace_id: workspaceId }));
  const { data, error } = await people.member.from("pipeline_projects").insert(rows).select("id, name");
  if (error) throw error;
  return deals.map(({ name }) => data.find((row) => row.name === name)?.id ?? "");
}
