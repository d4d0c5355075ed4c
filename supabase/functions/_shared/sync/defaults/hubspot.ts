import type { KnownPairs } from "./rows.ts";

export const HUBSPOT_PAIRS: KnownPairs = {
  accounts: [
    { crm: "name", app: "name" },
    { crm: "domain", app: "domain" },
    { crm: "website", app: "website" },
    { crm: "industry", app: "industry" },
    { crm: "annualrevenue", app: "annual_revenue" },
    { crm: "numberofemployees", app: "employee_count" },
    { crm: "founded_year", app: "founded_year" },
    { crm: "phone", app: "phone" },
    { crm: "description", app: "description" },
    {
      crm: { street: "address", city: "city", state: "state", postal_code: "zip", country: "country" },
      app: "billing_address",
    },
  ],
  contacts: [
    { crm: "firstname", app: "first_name" },
    { crm: "lastname", app: "last_name" },
    { crm: "email", app: "email" },
    { crm: "phone", app: "phone" },
    { crm: "mobilephone", app: "mobile" },
    { crm: "jobtitle", app: "title" },
    { crm: "department", app: "department" },
    { crm: "company", app: "company_name" },
    { crm: "leadsource", app: "lead_source" },
  ],
  opportunities: [
    { crm: "dealname", app: "name" },
    { crm: "dealstage", app: "stage_key" },
    { crm: "amount", app: "estimated_value" },
    { crm: "deal_currency_code", app: "currency" },
    { crm: "closedate", app: "expected_close_date" },
    { crm: "closedate", app: "actual_close_date", pull: true },
    { crm: "hs_priority", app: "priority" },
    { crm: "hs_next_step", app: "next_steps" },
    { crm: "closed_lost_reason", app: "lost_reason" },
    { crm: "description", app: "description" },
  ],
};
