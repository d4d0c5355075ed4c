import type { RecordWrite } from "../contract.ts";

/** A write as properties: all values are texts, and an empty one clears. */
export function toProperties({ fields, owner, stage }: RecordWrite): Record<string, string> {
  const all: Record<string, unknown> = {
    ...fields,
    ...(owner === undefined ? {} : { hubspot_owner_id: owner }),
    ...(stage === undefined ? {} : stageProperties(stage)),
  };
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, asText(value)]));
}

/** A stage belongs to its pipeline, so the two are set together. */
function stageProperties({ pipeline, id }: { pipeline: string; id: string }): Record<string, string> {
  return { ...(pipeline === "" ? {} : { pipeline }), dealstage: id };
}

function asText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return Array.isArray(value) ? value.map(String).join(";") : String(value);
}
