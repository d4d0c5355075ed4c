import type { ConversionRates } from "../probability/rates.ts";
import type { Day } from "../time/days.ts";
import type { Cents } from "./money.ts";

/** A deal as planning sees it. */
export interface PlanDeal {
  id: string;
  name: string;
  /** Deals of one client may be drawn together. */
  clientId: string | null;
  stage: string;
  value: Cents;
  /** As written on the deal, 0 to 1. */
  rate: number | null;
  /** The probability that a scenario sets, stronger than everything but won and lost. */
  editedRate?: number;
  /** Expected closing day, or the real one of a closed deal. */
  closeDay: Day | null;
  /** When its work begins, and for how many days. */
  startDay: Day | null;
  durationDays: number | null;
  /** When it came into the pipeline; only an undated deal needs it, to be compared with earlier ones of its age. */
  openedDay?: Day;
}

/** People whom winning a deal would need. Days count, both ends included. */
export interface DemandLine {
  id: string;
  dealId: string;
  skill: string;
  level: string | null;
  count: number;
  /** 0 to 1 of a full working day. */
  allocation: number;
  /** null: with the deal. */
  startDay: Day | null;
  /** null: with the deal, and open-ended where the deal does not say. */
  endDay: Day | null;
  critical: boolean;
  /** Other skills that would do, best first. */
  alternatives: readonly string[];
}

/** People to come, as a scenario adds them. */
export interface AddedPeople {
  skill: string;
  level: string | null;
  count: number;
  hoursPerWeek: number;
  startDay: Day;
  endDay: Day | null;
}

/** All that a scenario may change. Never changed in place. */
export interface Plan {
  deals: readonly PlanDeal[];
  demands: readonly DemandLine[];
  addedPeople: readonly AddedPeople[];
  conversionRates: ConversionRates;
}
