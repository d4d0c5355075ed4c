import { appField } from "../appFields.ts";
import type { Json } from "../json.ts";
import { type ConvertOptions, converter } from "./convert.ts";
import type { MappingRow } from "./plan.ts";
import { parseSource } from "./source.ts";
import { Misfit } from "./text.ts";

/** How a value of ours comes back from the CRM where it does not come back the same. */
export interface Shown {
  app: Json;
  crm: Json;
}

export type ReadBack = (fields: Readonly<Record<string, unknown>>, ours: Json) => Shown | null;

/**
 * A CRM may keep what we mean under another spelling: an option by its value, a day for an instant. Remembered with the link,
 * it is no change of the CRM's when it is read back, and so does not travel on to another CRM and back.
 */
export function readBack(row: MappingRow, options: ConvertOptions): ReadBack {
  const field = appField(row.entity_type, row.app_field);
  if (row.sync_direction !== "bidirectional" || field === null) return () => null;
  const convert = converter(field, row.data_type, options);
  const source = parseSource(row.crm_field);
  return (fields, ours) => {
    const raw = source.value(fields);
    const crm = raw === undefined ? null : convert(raw);
    return crm === null || crm instanceof Misfit || sameJson(crm, ours) ? null : { app: ours, crm };
  };
}

/** Keys are in order on both sides of a comparison. */
function sameJson(left: Json, right: Json): boolean {
  return JSON.stringify(inOrder(left)) === JSON.stringify(inOrder(right));
}

function inOrder(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(inOrder);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, inOrder(one)]),
  );
}
