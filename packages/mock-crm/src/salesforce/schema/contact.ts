import { address, auditFields, field, ID_FIELD, masterRecord, owner, picklist, reference } from "./field.ts";
import type { ObjectSource } from "./object.ts";

const READ_ONLY = { createable: false, updateable: false };

export const CONTACT: ObjectSource = {
  name: "Contact",
  label: "Contact",
  labelPlural: "Contacts",
  keyPrefix: "003",
  writable: true,
  mergeable: true,
  fields: [
    ID_FIELD,
    masterRecord("Contact"),
    reference("AccountId", "Account ID", "Account", { cascadeDelete: true }),
    field("LastName", "Last Name", "string", { length: 80, nillable: false, compoundFieldName: "Name" }),
    field("FirstName", "First Name", "string", { length: 40, compoundFieldName: "Name" }),
    field("Salutation", "Salutation", "picklist", { picklist: picklist(["Mr.", "Ms.", "Mrs.", "Dr.", "Prof."]) }),
    field("Name", "Full Name", "string", { length: 121, nillable: false, nameField: true, ...READ_ONLY }),
    ...address("Mailing", "Mailing"),
    field("Phone", "Business Phone", "phone"),
    field("MobilePhone", "Mobile Phone", "phone"),
    field("Email", "Email", "email"),
    field("Title", "Title", "string", { length: 128 }),
    field("Department", "Department", "string", { length: 80 }),
    reference("ReportsToId", "Reports To ID", "Contact"),
    field("LeadSource", "Lead Source", "picklist", {
      picklist: picklist(["Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other"]),
    }),
    field("Birthdate", "Birthdate", "date"),
    field("Description", "Contact Description", "textarea"),
    field("HasOptedOutOfEmail", "Email Opt Out", "boolean"),
    field("IsEmailBounced", "Is Email Bounced", "boolean", READ_ONLY),
    owner(),
    ...auditFields(),
  ],
};
