import type { Row } from "./row.ts";
import type { StageDef } from "./schema/stages.ts";

/** Sets the fields that Salesforce computes from others. */
export type Derive = (row: Row, changed: ReadonlySet<string>) => void;

export function deriveFor(object: string, stages: readonly StageDef[]): Derive {
  const byObject: Record<string, Derive> = { Contact: deriveContact, Opportunity: deriveOpportunity(stages) };
  return byObject[object] ?? (() => undefined);
}

function deriveContact(row: Row): void {
  row.Name = row.FirstName === null ? (row.LastName ?? null) : `${row.FirstName} ${row.LastName ?? ""}`.trim();
}

function deriveOpportunity(stages: readonly StageDef[]): Derive {
  const byLabel = new Map(stages.map((stage) => [stage.label, stage]));
  return (row, changed) => {
    const stage = byLabel.get(String(row.StageName));
    row.IsClosed = stage?.closed ?? false;
    row.IsWon = stage?.won ?? false;
    row.ForecastCategory = stage?.forecast ?? "Pipeline";
    // A new stage brings its own probability unless the same write sets one.
    const stageMoved = changed.has("StageName") && !changed.has("Probability");
    if (stageMoved || row.Probability === null) row.Probability = stage?.probability ?? 0;
    row.ExpectedRevenue = row.Amount === null ? null : (Number(row.Amount) * Number(row.Probability)) / 100;
  };
}
