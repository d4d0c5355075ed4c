import type { CrmError, EntityType } from "./contract.ts";

/** The part of the contract that is about single records: fetching them by id, writing them, finding them again. */

/** Records by id, wherever they are in the order of changes. */
export interface FetchRequest {
  entity: EntityType;
  ids: readonly string[];
  fields: readonly string[];
  /** "as they come": company and contact may be left out where they would take a call of their own. */
  relations?: "as they come";
}

/** What is to be set on one record of the CRM. Absent parts are left alone; null clears. */
export interface RecordWrite {
  /** Tells the results apart: unique within a request. */
  key: string;
  /** By CRM field name, as the CRM's API takes them. */
  fields: Readonly<Record<string, unknown>>;
  /** Ids of the CRM. */
  company?: string | null;
  contact?: string | null;
  owner?: string | null;
  stage?: { pipeline: string; id: string };
}

export interface CreateRequest {
  entity: EntityType;
  writes: readonly RecordWrite[];
  /** A unique field of the CRM that carries our id (in each write's `fields`): creating twice then makes one record. */
  externalIdField?: string;
}

export interface UpdateRequest {
  entity: EntityType;
  writes: readonly (RecordWrite & { id: string })[];
}

export interface DeleteRequest {
  entity: EntityType;
  ids: readonly string[];
}

/**
 * written: done. exists: a create that the CRM refused because `id` is that record already. gone: the record was deleted or
 * merged away there. failed: see `error`; its kind says whether trying again can help.
 * A create that failed with kind transient may have been done: it is looked up before it is tried again.
 */
export interface WriteResult {
  /** Of the write; of a deletion the id. */
  key: string;
  outcome: "written" | "exists" | "gone" | "failed";
  /** The CRM's id. */
  id: string | null;
  error?: CrmError & { field?: string };
  /** Of a record that was written: relations that this CRM, or its user's rights, did not let anybody set. */
  left?: RelationName[];
  /** Of a record that was written, where the CRM says so: its time of modification. What is read with an earlier one is older. */
  modifiedAt?: string;
}

export type RelationName = "company" | "contact" | "owner";

/** A create whose answer never came, as far as it can be recognised. */
export interface LookupCandidate {
  key: string;
  /** Value of the external id field. */
  externalId?: string;
  email?: string;
  domain?: string;
  /** The record's name as it was to be created. */
  name?: string;
  /** Not before this (ISO, UTC), by our clock. */
  createdAfter: string;
}

export interface LookupRequest {
  entity: EntityType;
  candidates: readonly LookupCandidate[];
  externalIdField?: string;
}

/** Several records fit a candidate, or one record fits several: which of them it is, nobody can tell. */
export const AMBIGUOUS = "ambiguous";

/** By key: the CRM's id, or AMBIGUOUS. */
export type LookupResult = Map<string, string>;
