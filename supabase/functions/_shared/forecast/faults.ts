import { type HttpProblem, problem } from "../http/problem.ts";
import { PlanningError, type PlanningFault } from "../planning/failure.ts";

interface Answer {
  status: number;
  code: string;
}

const INVALID: Answer = { status: 422, code: "invalid_input" };

const FAULTS: Record<PlanningFault, Answer> = {
  probability_out_of_range: INVALID,
  unknown_stage: INVALID,
  unknown_deal: { status: 404, code: "not_found" },
  end_before_start: INVALID,
  currency_without_rate: INVALID,
  too_many_runs: { status: 422, code: "too_many_runs" },
  horizon_out_of_range: INVALID,
  duplicate_id: INVALID,
  not_a_number: INVALID,
};

/** What the arithmetic refuses, as an answer for the caller. */
export function toHttpProblem(error: PlanningError): HttpProblem {
  const { status, code } = FAULTS[error.fault];
  const errors = [{ field: error.field ?? "", message: error.message }];
  return problem(status, code, error.message, { extra: { kind: error.fault, errors } });
}

export async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof PlanningError ? toHttpProblem(error) : error;
  }
}
