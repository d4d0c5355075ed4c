export { autoMap, defaultMappings, type ExistingMapping } from "./mappings.ts";
export type { ProposedMapping, ProposedStage, StageKey } from "./rows.ts";
export { defaultStageMap } from "./stages.ts";
