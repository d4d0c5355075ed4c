import { z } from "zod";
import { readCsv } from "./csv.ts";

const number = z.string().regex(/^-?\d+(\.\d+)?$/, "is not a number");

const accountColumns = z.object({
  account: z.string().min(1),
  sector: z.string(),
  year_established: z.string(),
  revenue: number,
  employees: number,
  office_location: z.string(),
  subsidiary_of: z.string(),
});

const teamColumns = z.object({ sales_agent: z.string().min(1), manager: z.string(), regional_office: z.string() });

const pipelineColumns = z.object({
  opportunity_id: z.string().min(1),
  sales_agent: z.string(),
  product: z.string(),
  account: z.string(),
  deal_stage: z.string(),
  engage_date: z.string(),
  close_date: z.string(),
  close_value: z.union([z.literal(""), number]),
});

export interface MavenFiles {
  accounts: z.infer<typeof accountColumns>[];
  teams: z.infer<typeof teamColumns>[];
  pipeline: z.infer<typeof pipelineColumns>[];
}

export function readMaven(folder: string): MavenFiles {
  return {
    accounts: readCsv(folder, "accounts.csv", accountColumns),
    teams: readCsv(folder, "sales_teams.csv", teamColumns),
    pipeline: readCsv(folder, "sales_pipeline.csv", pipelineColumns),
  };
}
