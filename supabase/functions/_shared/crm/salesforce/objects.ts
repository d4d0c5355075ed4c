import type { EntityType } from "../contract.ts";

interface SalesforceObject {
  name: string;
  /** Fields that carry relations and the stage. */
  company: string;
  contact?: string;
  stage?: string;
}

export const OBJECTS: Record<EntityType, SalesforceObject> = {
  accounts: { name: "Account", company: "ParentId" },
  contacts: { name: "Contact", company: "AccountId" },
  opportunities: { name: "Opportunity", company: "AccountId", contact: "ContactId", stage: "StageName" },
};
