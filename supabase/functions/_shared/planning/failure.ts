/** What a forecast can be asked wrongly. The shell turns the kind into a problem; the sentence is for people. */
export type PlanningFault =
  | "probability_out_of_range"
  | "unknown_stage"
  | "unknown_deal"
  | "end_before_start"
  | "currency_without_rate"
  | "too_many_runs"
  | "horizon_out_of_range"
  | "duplicate_id"
  | "not_a_number";

export class PlanningError extends Error {
  readonly fault: PlanningFault;
  /** The place in the input, as the caller named it: `edits.2.probability`. */
  readonly field: string | null;

  constructor(fault: PlanningFault, message: string, field: string | null = null) {
    super(message);
    this.name = "PlanningError";
    this.fault = fault;
    this.field = field;
  }
}
