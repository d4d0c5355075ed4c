import type { EntityType } from "../../../supabase/functions/_shared/crm/contract.ts";

export type SystemName = "app" | "salesforce" | "hubspot";
export type CrmName = Exclude<SystemName, "app">;

/** One field that histories edit, under its name in each system. */
export interface EditedField {
  app: string;
  salesforce: string;
  hubspot: string;
  kind: "text" | "number" | "phone";
}

export interface EditedEntity {
  table: string;
  salesforce: string;
  hubspot: string;
  fields: readonly EditedField[];
}

export const ENTITIES: Record<EntityType, EditedEntity> = {
  accounts: {
    table: "crm_companies",
    salesforce: "Account",
    hubspot: "companies",
    fields: [
      { app: "description", salesforce: "Description", hubspot: "description", kind: "text" },
      { app: "employee_count", salesforce: "NumberOfEmployees", hubspot: "numberofemployees", kind: "number" },
    ],
  },
  contacts: {
    table: "crm_contacts",
    salesforce: "Contact",
    hubspot: "contacts",
    fields: [
      { app: "title", salesforce: "Title", hubspot: "jobtitle", kind: "text" },
      { app: "phone", salesforce: "Phone", hubspot: "phone", kind: "phone" },
    ],
  },
  opportunities: {
    table: "pipeline_projects",
    salesforce: "Opportunity",
    hubspot: "deals",
    fields: [
      { app: "next_steps", salesforce: "NextStep", hubspot: "hs_next_step", kind: "text" },
      { app: "estimated_value", salesforce: "Amount", hubspot: "amount", kind: "number" },
    ],
  },
};

/** The n-th value of a field, different from every other one. */
export function nthValue(kind: EditedField["kind"], n: number): string {
  if (kind === "number") return String(1000 + n);
  return kind === "phone" ? `+4930${5_000_000 + n}` : `value ${n}`;
}

/** What counts as equal, whatever a system makes of it on its way. */
export function comparable(kind: EditedField["kind"], value: unknown): string | null {
  if (value === null || value === undefined || value === "") return null;
  if (kind === "number") return String(Number(value));
  return kind === "phone" ? String(value).replace(/[^0-9+]/g, "") : String(value).trim();
}
