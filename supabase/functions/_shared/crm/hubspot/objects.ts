import type { EntityType } from "../contract.ts";

type AssociationTarget = "companies" | "contacts";

export interface Relation {
  to: AssociationTarget;
  /** Which association counts when there are several: the one that HubSpot calls primary, then any. */
  typeIds: readonly number[];
  types: readonly string[];
}

interface HubSpotObject {
  name: string;
  modified: string;
  relations: { company?: Relation; contact?: Relation };
  /** A property that holds the parent's id, where relations are not associations. */
  parent?: string;
  merged: readonly string[];
  /** Needed to create a record. */
  required: readonly string[];
}

export const OBJECTS: Record<EntityType, HubSpotObject> = {
  accounts: {
    name: "companies",
    modified: "hs_lastmodifieddate",
    relations: {},
    parent: "hs_parent_company_id",
    merged: ["hs_merged_object_ids"],
    required: ["name"],
  },
  contacts: {
    name: "contacts",
    modified: "lastmodifieddate", // contacts alone do not have the hs_ one
    relations: {
      company: { to: "companies", typeIds: [1, 279], types: ["contact_to_company", "contact_to_company_unlabeled"] },
    },
    merged: ["hs_merged_object_ids", "hs_calculated_merged_vids"],
    required: [],
  },
  opportunities: {
    name: "deals",
    modified: "hs_lastmodifieddate",
    relations: {
      company: { to: "companies", typeIds: [5, 341], types: ["deal_to_company", "deal_to_company_unlabeled"] },
      contact: { to: "contacts", typeIds: [3], types: ["deal_to_contact"] },
    },
    merged: ["hs_merged_object_ids"],
    required: ["dealname", "dealstage"],
  },
};
