import type { Connection } from "jsforce/lib/connection.js";
import { z } from "zod";
import type { CrmStage } from "../contract.ts";
import { malformed } from "../errors.ts";
import { CRM } from "./errors.ts";
import { queryAll } from "./query.ts";

const stageRow = z.object({
  ApiName: z.string().min(1),
  MasterLabel: z.string(),
  SortOrder: z.number().nullish(),
  DefaultProbability: z.number().nullish(),
  IsClosed: z.boolean(),
  IsWon: z.boolean(),
});

const SOQL =
  "SELECT ApiName, MasterLabel, SortOrder, DefaultProbability, IsClosed, IsWon FROM OpportunityStage WHERE IsActive = true ORDER BY SortOrder";

/** Salesforce has one list of stages; an opportunity carries the stage's API name. */
export async function readStages(connection: Connection): Promise<CrmStage[]> {
  const result = z.array(stageRow).safeParse(await queryAll(connection, SOQL));
  if (!result.success) throw malformed(CRM, z.prettifyError(result.error));
  return result.data.map((row, index) => ({
    pipelineId: "",
    pipelineLabel: "Opportunities",
    id: row.ApiName,
    label: row.MasterLabel,
    position: row.SortOrder ?? index + 1,
    probability: row.DefaultProbability ?? null,
    closed: row.IsClosed,
    won: row.IsWon,
  }));
}
