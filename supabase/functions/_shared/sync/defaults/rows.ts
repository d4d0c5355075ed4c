import type { EntityType, MappingDataType } from "../../crm/contract.ts";

/** A row of crm_field_mappings as it is proposed on connect. */
export interface ProposedMapping {
  entity_type: EntityType;
  crm_field: string;
  app_field: string;
  data_type: MappingDataType;
  sync_direction: "push" | "pull" | "bidirectional" | "none";
  is_required: boolean;
  /** 0 to 1: how sure the proposal is. */
  confidence: number;
  reason: string;
}

/** A row of crm_stage_mappings. */
export interface ProposedStage {
  crm_pipeline_id: string;
  crm_stage_id: string;
  crm_stage_label: string;
  stage_key: StageKey;
  crm_probability: number | null;
  position: number;
}

export type StageKey = "lead" | "prospect" | "opportunity" | "proposal" | "negotiation" | "won" | "lost" | "on_hold";

/** A pair that is known from the CRM's documentation. `pull` marks what only ever comes from the CRM. */
export interface KnownPair {
  /** A field, or the fields that make up an object, by part. */
  crm: string | Readonly<Record<string, string>>;
  app: string;
  pull?: true;
}

export type KnownPairs = Readonly<Record<EntityType, readonly KnownPair[]>>;
