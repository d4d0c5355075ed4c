import type { CrmStage } from "../../crm/contract.ts";
import type { ProposedStage, StageKey } from "./rows.ts";

/** Words in a stage's name that say which of our open stages it is; the first match decides. */
const BY_WORD: readonly (readonly [RegExp, StageKey])[] = [
  [/on.?hold|paused|stalled|parked/, "on_hold"],
  [/negotiat|contract|legal|verbal|commit/, "negotiation"],
  [/proposal|quote|quotation|pricing|presentation|demo/, "proposal"],
  [/engag|opportunit|qualified|qualification|needs.?analysis|value.?proposition|discovery|evaluat/, "opportunity"],
  [/prospect|appointment|contacted|outreach|meeting/, "prospect"],
  [/\bleads?\b|\bnew\b|inquiry|enquiry|incoming/, "lead"],
];

/** Where a stage without a telling name belongs, by the probability its CRM gives it (our own defaults, halfway between). */
const BY_PROBABILITY: readonly (readonly [number, StageKey])[] = [
  [14, "lead"],
  [29, "prospect"],
  [49, "opportunity"],
  [70, "proposal"],
  [100, "negotiation"],
];

const BY_RANK: readonly StageKey[] = ["lead", "prospect", "opportunity", "proposal", "negotiation"];

const CLOSED: readonly (readonly [RegExp, StageKey])[] = [
  [/\bwon\b/, "won"],
  [/\blost\b/, "lost"],
];

/** A proposal for the stage mapping of a connection: closed stages by their flags, open ones by name, then probability, then rank. */
export function defaultStageMap(stages: readonly CrmStage[]): ProposedStage[] {
  return stages.map((stage) => ({
    crm_pipeline_id: stage.pipelineId,
    crm_stage_id: stage.id,
    crm_stage_label: stage.label,
    stage_key: keyOf(stage, stages),
    crm_probability: stage.probability === null ? null : Math.round(Math.min(100, Math.max(0, stage.probability))),
    position: stage.position,
  }));
}

function keyOf(stage: CrmStage, all: readonly CrmStage[]): StageKey {
  if (stage.closed) return stage.won ? "won" : "lost";
  return byWord(stage.label, BY_WORD) ?? byProbability(stage.probability) ?? byRank(stage, all);
}

/** The stage that a name speaks of, closed ones included. */
export function stageByWord(label: string): StageKey | null {
  return byWord(label, CLOSED) ?? byWord(label, BY_WORD);
}

function byWord(label: string, table: typeof BY_WORD): StageKey | null {
  const name = label.toLowerCase();
  return table.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

function byProbability(probability: number | null): StageKey | null {
  if (probability === null) return null;
  return BY_PROBABILITY.find(([most]) => probability <= most)?.[1] ?? null;
}

function byRank(stage: CrmStage, all: readonly CrmStage[]): StageKey {
  const open = all
    .filter((other) => !other.closed && other.pipelineId === stage.pipelineId)
    .sort((a, b) => a.position - b.position);
  const rank = open.findIndex((other) => other.id === stage.id) / open.length;
  return BY_RANK[Math.floor(rank * BY_RANK.length)] ?? "lead";
}
