import { PlanningError } from "../failure.ts";
import type { StageKind } from "./history.ts";
import type { SmoothedRate } from "./smoothing.ts";

export interface StageRule {
  key: string;
  kind: StageKind;
  /** 0 to 1. */
  defaultRate: number;
  aliases?: readonly string[];
}

/** Where a probability came from, strongest first. */
export type RateSource = "edit" | "conversion_rates" | "deal" | "learned" | "template" | "stage";

export interface DealRate {
  rate: number;
  source: RateSource;
  /** Only learned rates know them. */
  n: number | null;
  low: number | null;
  high: number | null;
}

/** Rates by stage key, 0 to 1. */
export type ConversionRates = ReadonlyMap<string, number>;

/**
 * Takes any spelling of an open stage that the workspace knows; a rate for a stage that it does not know is an error,
 * not nothing.
 */
export function readConversionRates(
  given: Readonly<Record<string, number>>,
  stages: readonly StageRule[],
): Map<string, number> {
  const rates = new Map<string, number>();
  for (const [name, rate] of Object.entries(given)) {
    const stage = stages.find(({ key, aliases }) => [key, ...(aliases ?? [])].includes(spelling(name)));
    if (stage === undefined)
      throw new PlanningError("unknown_stage", `This workspace has no stage "${name}".`, `conversion_rates.${name}`);
    if (!(rate >= 0 && rate <= 1))
      throw new PlanningError(
        "probability_out_of_range",
        `A conversion rate lies between 0 and 1; "${name}" has ${rate}.`,
        `conversion_rates.${name}`,
      );
    if (rates.has(stage.key))
      throw new PlanningError(
        "duplicate_id",
        `"${name}" is a stage that has a conversion rate already, in another spelling.`,
        `conversion_rates.${name}`,
      );
    rates.set(stage.key, rate);
  }
  return rates;
}

function spelling(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replaceAll(/^_+|_+$/g, "");
}

export interface RateRules {
  stages: ReadonlyMap<string, StageRule>;
  overrides: ConversionRates;
  learned: ReadonlyMap<string, SmoothedRate>;
  template: ConversionRates;
  /** Whether what a person wrote on the deal counts for more than what the history says. */
  trustDeals: boolean;
  /** A learned rate counts from this many deals on. */
  minDeals: number;
}

export interface RatedDeal {
  stage: string;
  /** As on the deal, 0 to 1; null when nobody wrote one. */
  rate: number | null;
}

/**
 * The probability of a deal. Won is 1 and lost is 0 whatever anybody says; then the strongest of: the scenario's
 * rates, the deal's own, the workspace's history, the industry template, the default of the stage.
 */
export function rateOf(deal: RatedDeal, rules: RateRules): DealRate {
  const stage = rules.stages.get(deal.stage);
  if (stage === undefined) throw new PlanningError("unknown_stage", `This workspace has no stage "${deal.stage}".`);
  if (stage.kind === "won" || stage.kind === "lost") return plain(stage.kind === "won" ? 1 : 0, "stage");
  const override = rules.overrides.get(deal.stage);
  if (override !== undefined) return plain(override, "conversion_rates");
  if (rules.trustDeals && deal.rate !== null) return plain(deal.rate, "deal");
  const learned = rules.learned.get(deal.stage);
  if (learned !== undefined && learned.n >= rules.minDeals) return { ...learned, source: "learned" };
  const template = rules.template.get(deal.stage);
  return template === undefined ? plain(stage.defaultRate, "stage") : plain(template, "template");
}

function plain(rate: number, source: RateSource): DealRate {
  return { rate, source, n: null, low: null, high: null };
}
