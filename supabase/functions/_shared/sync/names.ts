import type { EntityType, ProviderId } from "../crm/contract.ts";

/** As people call them, for messages. */
export const CRM_NAMES: Readonly<Record<ProviderId, string>> = { salesforce: "Salesforce", hubspot: "HubSpot" };

export const ENTITY_NAMES: Readonly<Record<EntityType, string>> = {
  accounts: "Companies",
  contacts: "Contacts",
  opportunities: "Opportunities",
};
