import { auditFields, field, ID_FIELD, reference } from "./field.ts";
import type { ObjectSource } from "./object.ts";

const REQUIRED = { nillable: false };

/** A user cannot be deleted, so there is no IsDeleted. */
export const USER: ObjectSource = {
  name: "User",
  label: "User",
  labelPlural: "Users",
  keyPrefix: "005",
  writable: false,
  mergeable: false,
  fields: [
    ID_FIELD,
    field("Username", "Username", "string", { length: 80, ...REQUIRED }),
    field("LastName", "Last Name", "string", { length: 80, ...REQUIRED }),
    field("FirstName", "First Name", "string", { length: 40 }),
    field("Name", "Full Name", "string", { length: 121, nameField: true, ...REQUIRED }),
    field("Title", "Title", "string", { length: 80 }),
    field("Department", "Department", "string", { length: 80 }),
    field("Email", "Email", "email", { length: 128, ...REQUIRED }),
    field("IsActive", "Active", "boolean"),
    field("UserType", "User Type", "picklist", { createable: false, updateable: false }),
    reference("ManagerId", "Manager ID", "User"),
    ...withoutDeleted(),
  ],
};

export const OPPORTUNITY_STAGE: ObjectSource = {
  name: "OpportunityStage",
  label: "Opportunity Stage",
  labelPlural: "Opportunity Stages",
  keyPrefix: "01J",
  writable: false,
  mergeable: false,
  fields: [
    ID_FIELD,
    field("MasterLabel", "Master Label", "string", { nameField: true, ...REQUIRED }),
    field("ApiName", "API Name", "string", REQUIRED),
    field("IsActive", "Is Active", "boolean"),
    field("SortOrder", "Sort Order", "int", REQUIRED),
    field("IsClosed", "Closed", "boolean"),
    field("IsWon", "Won", "boolean"),
    field("ForecastCategory", "Forecast Category", "picklist", REQUIRED),
    field("ForecastCategoryName", "Forecast Category Name", "picklist", REQUIRED),
    field("DefaultProbability", "Probability (%)", "percent"),
    field("Description", "Description", "string"),
    ...withoutDeleted(),
  ],
};

function withoutDeleted() {
  return auditFields().filter((audit) => audit.name !== "IsDeleted");
}
