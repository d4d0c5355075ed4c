import { stageOptions } from "./pipelines.ts";
import { lifecycle, merged, options, owner, type PropertyDef, property, READ_ONLY } from "./property.ts";

export interface ObjectType {
  /** Plural name as it stands in paths. */
  name: "contacts" | "companies" | "deals";
  singular: "contact" | "company" | "deal";
  typeId: string;
  /** Which property tells when a record last changed; it differs between contacts and everything else. */
  modifiedProperty: "lastmodifieddate" | "hs_lastmodifieddate";
  defaultProperties: readonly string[];
  firstId: number;
  properties: Map<string, PropertyDef>;
}
export type ObjectName = ObjectType["name"];

const times = (modified: string) => [
  property("createdate", "Create Date", "datetime", READ_ONLY),
  property(modified, "Last Modified Date", "datetime", READ_ONLY),
  property("hs_object_id", "Record ID", "number", READ_ONLY),
];

const place = () =>
  ["address", "city", "state", "zip", "country"].map((name) =>
    property(name, `${name[0]?.toUpperCase()}${name.slice(1)}`, "string"),
  );

const CONTACT_PROPERTIES = [
  ...times("lastmodifieddate"),
  property("email", "Email", "string", { hasUniqueValue: true }),
  property("firstname", "First Name", "string"),
  property("lastname", "Last Name", "string"),
  property("phone", "Phone Number", "phone_number"),
  property("mobilephone", "Mobile Phone Number", "phone_number"),
  property("jobtitle", "Job Title", "string"),
  property("company", "Company Name", "string"),
  property("website", "Website URL", "string"),
  ...place(),
  lifecycle(),
  property("hs_lead_status", "Lead Status", "enumeration", {
    options: options("NEW", "OPEN", "IN_PROGRESS", "UNQUALIFIED"),
  }),
  property("hs_additional_emails", "Additional email addresses", "enumeration", { fieldType: "checkbox" }),
  property("hs_calculated_merged_vids", "Merged vids", "string", READ_ONLY),
  merged(),
  property("associatedcompanyid", "Primary Associated Company ID", "number", READ_ONLY),
  owner(),
];

const INDUSTRIES = [
  "ACCOUNTING",
  "BANKING",
  "COMPUTER_SOFTWARE",
  "CONSULTING",
  "EDUCATION_MANAGEMENT",
  "HOSPITAL_HEALTH_CARE",
];
const MORE_INDUSTRIES = ["INTERNET", "MARKETING_AND_ADVERTISING", "RETAIL", "TELECOMMUNICATIONS", "UTILITIES"];

const COMPANY_PROPERTIES = [
  ...times("hs_lastmodifieddate"),
  property("name", "Company name", "string"),
  property("domain", "Company Domain Name", "string"),
  property("website", "Website URL", "string"),
  property("phone", "Phone Number", "phone_number"),
  property("industry", "Industry", "enumeration", { options: options(...INDUSTRIES, ...MORE_INDUSTRIES) }),
  property("annualrevenue", "Annual Revenue", "number"),
  property("numberofemployees", "Number of Employees", "number"),
  property("founded_year", "Year Founded", "string"),
  property("description", "Description", "string", { fieldType: "textarea" }),
  ...place(),
  property("type", "Type", "enumeration", { options: options("PROSPECT", "PARTNER", "RESELLER", "VENDOR", "OTHER") }),
  lifecycle(),
  property("hs_parent_company_id", "Parent Company", "number", READ_ONLY),
  property("hs_additional_domains", "Additional Domains", "enumeration", { fieldType: "checkbox" }),
  merged(),
  owner(),
];

const DEAL_PROPERTIES = [
  ...times("hs_lastmodifieddate"),
  property("dealname", "Deal Name", "string"),
  property("amount", "Amount", "number", { fieldType: "number" }),
  property("dealstage", "Deal Stage", "enumeration", { fieldType: "radio", options: stageOptions() }),
  property("pipeline", "Pipeline", "enumeration", { options: [{ label: "Sales Pipeline", value: "default" }] }),
  property("closedate", "Close Date", "datetime"),
  property("dealtype", "Deal Type", "enumeration", { options: options("newbusiness", "existingbusiness") }),
  property("description", "Deal Description", "string", { fieldType: "textarea" }),
  property("deal_currency_code", "Currency", "enumeration", { options: options("USD", "EUR", "GBP") }),
  property("hs_priority", "Priority", "enumeration", { options: options("low", "medium", "high") }),
  property("hs_next_step", "Next step", "string"),
  property("closed_lost_reason", "Closed Lost Reason", "string", { fieldType: "textarea" }),
  property("hs_deal_stage_probability", "Deal probability", "number", READ_ONLY),
  property("hs_is_closed", "Is Deal Closed?", "bool", READ_ONLY),
  property("hs_is_closed_won", "Is Closed Won", "bool", READ_ONLY),
  merged(),
  owner(),
];

/** Fresh definitions for one mock: custom properties are added to them. */
export function objectTypes(): ObjectType[] {
  return [
    {
      name: "contacts",
      singular: "contact",
      typeId: "0-1",
      modifiedProperty: "lastmodifieddate",
      defaultProperties: ["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"],
      firstId: 101_000_001,
      properties: table("contactinformation", CONTACT_PROPERTIES),
    },
    {
      name: "companies",
      singular: "company",
      typeId: "0-2",
      modifiedProperty: "hs_lastmodifieddate",
      defaultProperties: ["createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"],
      firstId: 201_000_001,
      properties: table("companyinformation", COMPANY_PROPERTIES),
    },
    {
      name: "deals",
      singular: "deal",
      typeId: "0-3",
      modifiedProperty: "hs_lastmodifieddate",
      defaultProperties: [
        "amount",
        "closedate",
        "createdate",
        "dealname",
        "dealstage",
        "hs_lastmodifieddate",
        "hs_object_id",
        "pipeline",
      ],
      firstId: 301_000_001,
      properties: table("dealinformation", DEAL_PROPERTIES),
    },
  ];
}

function table(groupName: string, definitions: readonly PropertyDef[]): Map<string, PropertyDef> {
  return new Map(definitions.map((definition) => [definition.name, { ...definition, groupName }]));
}
