import { auditFields, field, ID_FIELD, owner, picklist, reference } from "./field.ts";
import type { ObjectSource } from "./object.ts";

const READ_ONLY = { createable: false, updateable: false };
const DERIVED = { ...READ_ONLY, nillable: false, defaultedOnCreate: true };

export function opportunity(stages: readonly string[]): ObjectSource {
  return {
    name: "Opportunity",
    label: "Opportunity",
    labelPlural: "Opportunities",
    keyPrefix: "006",
    writable: true,
    mergeable: false,
    fields: [
      ID_FIELD,
      reference("AccountId", "Account ID", "Account", { cascadeDelete: true }),
      field("Name", "Name", "string", { length: 120, nillable: false, nameField: true }),
      field("Description", "Description", "textarea"),
      field("StageName", "Stage", "picklist", { nillable: false, picklist: picklist(stages) }),
      field("Amount", "Amount", "currency"),
      field("Probability", "Probability (%)", "percent", { defaultedOnCreate: true }),
      field("ExpectedRevenue", "Expected Amount", "currency", { ...READ_ONLY, calculated: true }),
      // Required through the API, although imported rows may lack it.
      field("CloseDate", "Close Date", "date", { nillable: false }),
      field("Type", "Opportunity Type", "picklist", { picklist: picklist(["New Business", "Existing Business"]) }),
      field("NextStep", "Next Step", "string"),
      field("LeadSource", "Lead Source", "picklist", { picklist: picklist(["Web", "Partner Referral", "Other"]) }),
      field("IsClosed", "Closed", "boolean", DERIVED),
      field("IsWon", "Won", "boolean", DERIVED),
      field("ForecastCategory", "Forecast Category", "picklist", {
        ...DERIVED,
        picklist: picklist(["Omitted", "Pipeline", "BestCase", "Forecast", "Closed"]),
      }),
      reference("ContactId", "Contact ID", "Contact", { updateable: false }),
      field("Product__c", "Product", "string", { length: 80 }),
      field("Engage_Date__c", "Engage Date", "date"),
      field("Maven_Id__c", "Maven Id", "string", { length: 18, unique: true, externalId: true }),
      owner(),
      ...auditFields(),
    ],
  };
}
