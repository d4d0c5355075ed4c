import type { KnownPairs } from "./rows.ts";

const address = (prefix: string) => ({
  street: `${prefix}Street`,
  city: `${prefix}City`,
  state: `${prefix}State`,
  postal_code: `${prefix}PostalCode`,
  country: `${prefix}Country`,
});

export const SALESFORCE_PAIRS: KnownPairs = {
  accounts: [
    { crm: "Name", app: "name" },
    { crm: "Website", app: "website" },
    { crm: "Website", app: "domain", pull: true },
    { crm: "Industry", app: "industry" },
    { crm: "AnnualRevenue", app: "annual_revenue" },
    { crm: "NumberOfEmployees", app: "employee_count" },
    { crm: "YearStarted", app: "founded_year" },
    { crm: "Phone", app: "phone" },
    { crm: "Description", app: "description" },
    { crm: "AccountSource", app: "source" },
    { crm: address("Billing"), app: "billing_address" },
    { crm: address("Shipping"), app: "shipping_address" },
  ],
  contacts: [
    { crm: "FirstName", app: "first_name" },
    { crm: "LastName", app: "last_name" },
    { crm: "Email", app: "email" },
    { crm: "Phone", app: "phone" },
    { crm: "MobilePhone", app: "mobile" },
    { crm: "Title", app: "title" },
    { crm: "Department", app: "department" },
    { crm: "LeadSource", app: "lead_source" },
    { crm: "Description", app: "description" },
  ],
  opportunities: [
    { crm: "Name", app: "name" },
    { crm: "StageName", app: "stage_key" },
    { crm: "Amount", app: "estimated_value" },
    { crm: "CurrencyIsoCode", app: "currency" },
    { crm: "Probability", app: "probability" },
    { crm: "CloseDate", app: "expected_close_date" },
    { crm: "CloseDate", app: "actual_close_date", pull: true },
    { crm: "LeadSource", app: "deal_source" },
    { crm: "NextStep", app: "next_steps" },
    { crm: "Description", app: "description" },
  ],
};
