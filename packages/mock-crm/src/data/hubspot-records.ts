import type { HubRecord } from "../hubspot/record.ts";
import type { HubOwner } from "../hubspot/store.ts";
import { importedAtMs } from "./import-times.ts";

const FIRST_ID = { contacts: 101_000_001, companies: 201_000_001, deals: 301_000_001 };

export type HubKind = keyof typeof FIRST_ID;

export function hubId(kind: HubKind, index: number): string {
  return String(FIRST_ID[kind] + index);
}

/** A record that came with the import; properties without a value are left unset. */
export function hubRecord(kind: HubKind, index: number, values: Readonly<Record<string, string | null>>): HubRecord {
  const at = importedAtMs(index);
  const properties: Record<string, string> = {};
  for (const name in values) {
    const value = values[name];
    if (value !== null && value !== undefined && value !== "") properties[name] = value;
  }
  return {
    id: hubId(kind, index),
    number: FIRST_ID[kind] + index,
    properties,
    createdAt: at,
    updatedAt: at,
    archivedAt: null,
    history: null,
  };
}

const OWNER_NAMES = [
  ["owner@demo.example", "Olive", "Owner"],
  ["admin@demo.example", "Adam", "Admin"],
  ["member@demo.example", "Mia", "Member"],
  ["priya.shah@salesteam.example", "Priya", "Shah"],
  ["tom.becker@salesteam.example", "Tom", "Becker"],
] as const;

/** Three owners are people of the demo workspace, two are known to HubSpot only. */
export const OWNERS: readonly HubOwner[] = OWNER_NAMES.map(([email, firstName, lastName], at) => ({
  id: String(71_000_001 + at),
  userId: 9_000_001 + at,
  email,
  firstName,
  lastName,
}));
