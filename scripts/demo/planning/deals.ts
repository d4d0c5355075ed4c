import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { base, en, Faker } from "@faker-js/faker";
import { parse } from "csv-parse/sync";
import type { Client } from "../../lib/people.ts";
import { dayAfter } from "./team.ts";

/** A product is spelt in two ways in the files. */
const OTHER_SPELLING: Record<string, string> = { "GTX Pro": "GTXPro" };

/** The open deals of the data have no value; a sales person would put the list price. */
export async function priceOpenDeals(client: Client, workspaceId: string, folder: string): Promise<void> {
  const products: { product: string; sales_price: string }[] = parse(
    await readFile(join(folder, "products.csv"), "utf8"),
    { columns: true, bom: true },
  );
  for (const { product, sales_price } of products) {
    const { error } = await client
      .from("pipeline_projects")
      .update({ estimated_value: Number(sales_price) })
      .eq("workspace_id", workspaceId)
      .is("estimated_value", null)
      .eq("custom_fields->>product", OTHER_SPELLING[product] ?? product);
    if (error) throw new Error(`Could not price the deals: ${error.message}`, { cause: error });
  }
}

export interface OpenDeal {
  id: string;
  product: string;
}

export async function readOpenDeals(client: Client, workspaceId: string): Promise<OpenDeal[]> {
  const found: OpenDeal[] = [];
  for (let from = 0; ; from += 1_000) {
    const { data, error } = await client
      .from("pipeline_projects")
      .select("id, crm_id, product:custom_fields->>product")
      .eq("workspace_id", workspaceId)
      .eq("stage_key", "opportunity")
      .order("crm_id")
      .range(from, from + 999);
    if (error) throw new Error(`Could not read the open deals: ${error.message}`, { cause: error });
    found.push(...data.map(({ id, product }) => ({ id, product: String(product) })));
    if (data.length < 1_000) return found;
  }
}

export interface Demand {
  pipeline_project_id: string;
  skill_key: string;
  skill_category: string;
  experience_level: string | null;
  required_count: number;
  allocation_percentage: number;
  start_date: string;
  end_date: string;
  is_critical: boolean;
  alternatives: string[];
}

interface Need {
  skill: string;
  people?: number;
  percent: number;
  days: number;
  level?: string;
  critical?: boolean;
  alternatives?: string[];
}

/** What delivering each product takes. Invented; the cheap ones are sent by post. */
const NEEDS: Record<string, readonly Need[]> = {
  "GTK 500": [
    { skill: "storage", percent: 60, days: 56, level: "senior", critical: true, alternatives: ["network"] },
    { skill: "installation", people: 2, percent: 50, days: 42 },
    { skill: "project_management", percent: 40, days: 56 },
  ],
  "GTX Plus Pro": [
    { skill: "network", percent: 50, days: 21, critical: true },
    { skill: "installation", percent: 40, days: 14 },
  ],
  GTXPro: [
    { skill: "installation", percent: 40, days: 14 },
    { skill: "training", percent: 20, days: 7 },
  ],
  "MG Advanced": [{ skill: "integration", percent: 40, days: 14, alternatives: ["network"] }],
};

/** The work would begin some weeks from the day on: spread, because customers are not all ready at once. */
export function inventDemands(deals: readonly OpenDeal[], from: string, seed: number): Demand[] {
  const faker = new Faker({ locale: [en, base] });
  faker.seed(seed);
  return deals.flatMap(({ id, product }) => {
    const start = dayAfter(from, faker.number.int({ min: 14, max: 150 }));
    return (NEEDS[product] ?? []).map(({ skill, people = 1, percent, days, level, critical, alternatives }) => ({
      pipeline_project_id: id,
      skill_key: skill,
      skill_category: skill,
      experience_level: level ?? null,
      required_count: people,
      allocation_percentage: percent,
      start_date: start,
      end_date: dayAfter(start, days - 1),
      is_critical: critical ?? false,
      alternatives: alternatives ?? [],
    }));
  });
}
