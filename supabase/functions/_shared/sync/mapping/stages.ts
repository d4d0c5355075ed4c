import type { CrmRecord } from "../../crm/contract.ts";

export interface StageRow {
  crm_pipeline_id: string;
  crm_stage_id: string;
  stage_key: string;
}

export type StageOf = (record: CrmRecord, raw: unknown) => { key: string | null; label: string } | null;

const CLOSED_KEYS: ReadonlySet<string> = new Set(["won", "lost"]);

export function isClosed(stageKey: string | null): boolean {
  return stageKey !== null && CLOSED_KEYS.has(stageKey);
}

/** Looks a record's stage up by pipeline and id, then by id alone where no two pipelines disagree about it. */
export function stageLookup(rows: readonly StageRow[]): StageOf {
  const exact = new Map<string, string>();
  const byId = new Map<string, string | null>();
  for (const row of rows) {
    const id = normal(row.crm_stage_id);
    exact.set(`${row.crm_pipeline_id}\n${id}`, row.stage_key);
    const known = byId.get(id);
    byId.set(id, known === undefined || known === row.stage_key ? row.stage_key : null);
  }
  return (record, raw) => {
    const id = record.stage?.id ?? (raw === null || raw === undefined ? "" : String(raw));
    if (id.trim() === "") return null;
    const key = exact.get(`${record.stage?.pipeline ?? ""}\n${normal(id)}`) ?? byId.get(normal(id)) ?? null;
    return { key, label: id };
  };
}

function normal(id: string): string {
  return id.trim().toLowerCase();
}
