import type { EntityType } from "../crm/contract.ts";

/** What a column of ours takes, and so how a value is read into it. */
export type AppFieldKind =
  | "text"
  | "integer"
  | "decimal"
  | "date"
  | "email"
  | "phone"
  | "url"
  | "domain"
  | "choice"
  | "currency"
  | "stage"
  | "list"
  | "object";

export interface AppField {
  kind: AppFieldKind;
  /** Characters. */
  max?: number;
  range?: readonly [number, number];
  choices?: readonly string[];
  /** A record without it is rejected. */
  required?: boolean;
  /** Holds a value only once the deal is won or lost. */
  closedOnly?: boolean;
}

const text = (max: number): AppField => ({ kind: "text", max });
const whole = (least: number, most: number): AppField => ({ kind: "integer", range: [least, most] });
const choice = (...choices: string[]): AppField => ({ kind: "choice", choices });

const LONG = text(32_000);
const PHONE: AppField = { kind: "phone", max: 50 };
const DATE: AppField = { kind: "date" };
const LIST: AppField = { kind: "list" };
const OBJECT: AppField = { kind: "object" };
const MONEY: AppField = { kind: "decimal", range: [0, Number.MAX_SAFE_INTEGER] };

/** The columns that a CRM field can be mapped to. The database holds the same list (private.crm_app_fields); a test compares them. */
export const APP_FIELDS: Record<EntityType, Readonly<Record<string, AppField>>> = {
  accounts: {
    name: { ...text(255), required: true },
    industry: text(100),
    company_size: choice("startup", "small", "medium", "enterprise"),
    website: { kind: "url", max: 500 },
    domain: { kind: "domain", max: 253 },
    phone: PHONE,
    description: LONG,
    billing_address: OBJECT,
    shipping_address: OBJECT,
    annual_revenue: MONEY,
    employee_count: whole(0, 2_147_483_647),
    founded_year: whole(1000, 2200),
    company_status: choice("lead", "prospect", "customer", "churned"),
    source: text(100),
    tags: LIST,
  },
  contacts: {
    first_name: text(100),
    last_name: text(100),
    email: { kind: "email", max: 254 },
    phone: PHONE,
    mobile: PHONE,
    title: text(255),
    department: text(100),
    company_name: text(255),
    contact_status: choice("active", "inactive", "bounced"),
    lifecycle: choice("lead", "prospect", "customer", "closed"),
    lead_source: text(100),
    lead_score: whole(0, 100),
    rating: whole(0, 5),
    social_profiles: OBJECT,
    preferences: OBJECT,
    description: LONG,
    tags: LIST,
  },
  opportunities: {
    name: { ...text(255), required: true },
    description: LONG,
    client_name: text(255),
    client_contact: OBJECT,
    stage_key: { kind: "stage", max: 50, required: true },
    priority: choice("low", "medium", "high", "critical"),
    probability: whole(0, 100),
    estimated_value: MONEY,
    currency: { kind: "currency", max: 3 },
    expected_close_date: DATE,
    actual_close_date: { ...DATE, closedOnly: true },
    estimated_start_date: DATE,
    estimated_duration: whole(0, 100_000),
    deal_source: text(100),
    next_steps: LONG,
    lost_reason: LONG,
    notes: LONG,
    tags: LIST,
  },
};

/** The column behind an app field name; null for one that does not exist. Anything goes under custom_fields. */
export function appField(entity: EntityType, name: string): AppField | "custom" | null {
  if (/^custom_fields\../.test(name)) return "custom";
  const columns = APP_FIELDS[entity];
  return Object.hasOwn(columns, name) ? (columns[name] ?? null) : null;
}
