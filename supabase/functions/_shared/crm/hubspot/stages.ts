import type { Pipeline } from "@hubspot/api-client/lib/codegen/crm/pipelines/models/Pipeline.js";
import type { PipelineStage } from "@hubspot/api-client/lib/codegen/crm/pipelines/models/PipelineStage.js";
import type { CrmStage } from "../contract.ts";
import { malformed } from "../errors.ts";
import { call, type HubSpotClient } from "./client.ts";
import { CRM } from "./errors.ts";

export async function readStages(client: HubSpotClient): Promise<CrmStage[]> {
  const answer = await call(() => client.pipelines.getAll("deals"));
  if (!Array.isArray(answer.results)) throw malformed(CRM, "a list of pipelines without results");
  return answer.results.filter((pipeline) => !pipeline.archived).flatMap(stagesOf);
}

function stagesOf(pipeline: Pipeline): CrmStage[] {
  return pipeline.stages
    .filter((stage) => !stage.archived)
    .sort((a, b) => a.displayOrder - b.displayOrder)
    .map((stage, index) => toStage(pipeline, stage, index + 1));
}

/** Metadata are strings: "1.0", "true". A closed stage counts as won when nothing is left to doubt. */
function toStage(pipeline: Pipeline, stage: PipelineStage, position: number): CrmStage {
  const share = Number(stage.metadata?.probability ?? Number.NaN);
  const probability = Number.isFinite(share) ? Math.round(share * 100) : null;
  const closed = stage.metadata?.isClosed === "true";
  return {
    pipelineId: pipeline.id,
    pipelineLabel: pipeline.label,
    id: stage.id,
    label: stage.label,
    position,
    probability,
    closed,
    won: closed && probability === 100,
  };
}
