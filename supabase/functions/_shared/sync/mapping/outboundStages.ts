import type { Json } from "../json.ts";
import type { StageRow } from "./stages.ts";
import { excerpt, Misfit } from "./text.ts";

export interface CrmStageRef {
  pipeline: string;
  id: string;
}

export type StageFor = (key: Json, pipeline: string | undefined) => CrmStageRef | Misfit;

/** What CRMs call the pipeline that records are in unless somebody says otherwise; "" where there is one only. */
const DEFAULT_PIPELINES: ReadonlySet<string> = new Set(["", "default"]);

/** Rows come in the order of pipelines and positions. */
export function stageChooser(rows: readonly StageRow[]): StageFor {
  return (key, pipeline) => {
    const fitting = rows.filter((row) => row.stage_key === key);
    const chosen =
      fitting.find((row) => row.crm_pipeline_id === pipeline) ??
      fitting.find((row) => DEFAULT_PIPELINES.has(row.crm_pipeline_id)) ??
      fitting[0];
    if (chosen !== undefined) return { pipeline: chosen.crm_pipeline_id, id: chosen.crm_stage_id };
    return new Misfit("unmapped_stage", `has no stage that is mapped to "${excerpt(String(key))}"`);
  };
}

export function severalPipelines(rows: readonly StageRow[]): boolean {
  return new Set(rows.map((row) => row.crm_pipeline_id)).size > 1;
}
