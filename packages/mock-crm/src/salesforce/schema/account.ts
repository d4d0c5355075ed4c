import { address, auditFields, field, ID_FIELD, masterRecord, owner, picklist, reference } from "./field.ts";
import type { ObjectSource } from "./object.ts";

const INDUSTRIES = ["Agriculture", "Banking", "Biotechnology", "Communications", "Consulting", "Education", "Energy"];
const MORE_INDUSTRIES = [
  "Finance",
  "Healthcare",
  "Manufacturing",
  "Media",
  "Retail",
  "Technology",
  "Utilities",
  "Other",
];

export const ACCOUNT: ObjectSource = {
  name: "Account",
  label: "Account",
  labelPlural: "Accounts",
  keyPrefix: "001",
  writable: true,
  mergeable: true,
  fields: [
    ID_FIELD,
    masterRecord("Account"),
    field("Name", "Account Name", "string", { nillable: false, nameField: true }),
    field("Type", "Account Type", "picklist", { picklist: picklist(["Prospect", "Customer", "Partner", "Other"]) }),
    reference("ParentId", "Parent Account ID", "Account"),
    ...address("Billing", "Billing"),
    ...address("Shipping", "Shipping"),
    field("Phone", "Account Phone", "phone"),
    field("AccountNumber", "Account Number", "string", { length: 40 }),
    field("Website", "Website", "url"),
    // Unrestricted: what an import brought in (such as "technolgy") stays as it is.
    field("Industry", "Industry", "picklist", { picklist: picklist([...INDUSTRIES, ...MORE_INDUSTRIES]) }),
    field("AnnualRevenue", "Annual Revenue", "currency", { scale: 0 }),
    field("NumberOfEmployees", "Employees", "int"),
    field("Description", "Account Description", "textarea"),
    field("Rating", "Account Rating", "picklist", { picklist: picklist(["Hot", "Warm", "Cold"]) }),
    field("AccountSource", "Account Source", "picklist", { picklist: picklist(["Web", "Phone Inquiry", "Other"]) }),
    field("YearStarted", "Year Started", "string", { length: 4 }),
    owner(),
    ...auditFields(),
  ],
};
