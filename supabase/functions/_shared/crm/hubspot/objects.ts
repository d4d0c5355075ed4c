import type { EntityType } from "../contract.ts";

type AssociationTarget = "companies" | "contacts";

export interface Relation {
  to: AssociationTarget;
  /** Which association counts when there are several: the one that HubSpot calls primary, then any. */
  typeIds: readonly number[];
  types: readonly string[];
  /** Associations of other types mean something else, and there is one of this type at most. */
  only?: boolean;
}

export type RelationName = "company" | "contact";

interface HubSpotObject {
  name: string;
  modified: string;
  relations: { [name in RelationName]?: Relation };
  /** A property that shows the parent's id. It cannot be set: the association below it can. */
  parent?: string;
  parentRelation?: Relation;
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
    parentRelation: { to: "companies", typeIds: [14], types: ["child_to_parent_company"], only: true },
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
