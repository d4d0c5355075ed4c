import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { type Cents, toCents } from "../../supabase/functions/_shared/planning/forecast/money.ts";
import { type Day, parseDay } from "../../supabase/functions/_shared/planning/time/days.ts";
import { PROJECT_ROOT } from "../lib/workbench.ts";

/** One opportunity of the Maven data: all of its life, which a forecast must not see. */
export interface MavenDeal {
  id: string;
  agent: string;
  region: string;
  product: string;
  engaged: Day;
  closed: Day | null;
  end: "won" | "lost" | "open";
  listPrice: Cents;
  /** What a won deal brought. */
  value: Cents;
}

const FOLDER = join(PROJECT_ROOT, "packages", "mock-crm", "data", "maven-crm-sales");

/** A product is spelt in two ways in the files. */
const SPELLING: Record<string, string> = { GTXPro: "GTX Pro" };

/** Deals that were ever engaged. The 500 in Prospecting have no date, so nobody can say when they were known. */
export function readMavenDeals(): MavenDeal[] {
  const prices = new Map(rows("products.csv").map(({ product, sales_price }) => [product, Number(sales_price)]));
  const regions = new Map(
    rows("sales_teams.csv").map(({ sales_agent, regional_office }) => [sales_agent, regional_office]),
  );
  return rows("sales_pipeline.csv").flatMap((row) => {
    const engaged = parseDay(row.engage_date ?? "");
    if (engaged === null) return [];
    const product = SPELLING[row.product ?? ""] ?? row.product ?? "";
    return [
      {
        id: row.opportunity_id ?? "",
        agent: row.sales_agent ?? "",
        region: regions.get(row.sales_agent) ?? "",
        product,
        engaged,
        closed: parseDay(row.close_date ?? ""),
        end: row.deal_stage === "Won" ? "won" : row.deal_stage === "Lost" ? "lost" : "open",
        listPrice: toCents(prices.get(product) ?? 0),
        value: toCents(Number(row.close_value ?? 0)),
      },
    ];
  });
}

function rows(file: string): Record<string, string>[] {
  return parse(readFileSync(join(FOLDER, file)), { columns: true, bom: true });
}
