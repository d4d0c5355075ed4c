import type { Client } from "../lib/people.ts";

export interface StageRow {
  stage: string;
  label: string;
  opportunities: number;
  value: number;
  weighted_value: number;
}

export interface PipelineTotals {
  won: number;
  lost: number;
  open: number;
  won_value: number;
  /** Won deals as a share of closed deals, in percent; null while nothing is closed. */
  win_rate: number | null;
  by_stage: StageRow[];
}

interface SummaryRow {
  crm_source: string | null;
  stage_key: string;
  label: string;
  position: number;
  kind: string;
  opportunities: number;
  value: number;
  weighted_value: number;
}

/** Adds the rows of `pipeline_summary` up over sources and currencies, stage by stage. */
export function totalsOf(rows: readonly SummaryRow[]): PipelineTotals {
  const stages = new Map<string, StageRow & { position: number; kind: string }>();
  for (const row of rows) {
    const stage = stages.get(row.stage_key) ?? {
      stage: row.stage_key,
      label: row.label,
      opportunities: 0,
      value: 0,
      weighted_value: 0,
      position: row.position,
      kind: row.kind,
    };
    stage.opportunities += Number(row.opportunities);
    stage.value += Number(row.value);
    stage.weighted_value += Number(row.weighted_value);
    stages.set(row.stage_key, stage);
  }
  const ordered = [...stages.values()].sort((a, b) => a.position - b.position);
  const count = (kind: string) =>
    ordered.filter((stage) => stage.kind === kind).reduce((sum, stage) => sum + stage.opportunities, 0);
  const won = count("won");
  const lost = count("lost");
  return {
    won,
    lost,
    open: count("open") + count("on_hold"),
    won_value: ordered.filter((stage) => stage.kind === "won").reduce((sum, stage) => sum + stage.value, 0),
    win_rate: won + lost === 0 ? null : Math.round((won / (won + lost)) * 10_000) / 100,
    by_stage: ordered.map(({ position: _position, kind: _kind, ...stage }) => stage),
  };
}

export async function readPipeline(
  client: Client,
  workspaceId: string,
): Promise<{ salesforce: PipelineTotals; all: PipelineTotals }> {
  const { data, error } = await client.from("pipeline_summary").select("*").eq("workspace_id", workspaceId);
  if (error) throw new Error(`Could not read the pipeline: ${error.message}`, { cause: error });
  const rows = data as unknown as SummaryRow[];
  return { salesforce: totalsOf(rows.filter((row) => row.crm_source === "salesforce")), all: totalsOf(rows) };
}
