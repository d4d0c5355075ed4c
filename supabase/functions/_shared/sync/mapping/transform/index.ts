import type { Json } from "../../json.ts";
import { CUT, failed, invalid, noSandbox, OVER_BUDGET, TransformFailure } from "./failure.ts";
import { fieldsIn, mentionsRecord } from "./fields.ts";
import { type Compiled, Machine, type MachineLimits } from "./machine.ts";

export { TransformFailure };

/** A mapping, as far as its transform goes. */
export interface TransformRow {
  transform_function?: string | null;
}

export interface TransformLimits extends MachineLimits {
  /** What all calls together may spend; the records after that fail. */
  budget: number;
  /** What they may spend before the slice had better end. */
  enough: number;
}

export interface Transforms {
  /** What the row's expression makes of a value; the value itself where the row has none. */
  apply(row: TransformRow, value: unknown, record: Readonly<Record<string, unknown>>): Json | TransformFailure;
  /** CRM fields that the row's expression reads by name, beside its own. */
  fieldsUsed(row: TransformRow): string[];
  /** Enough was spent: a new slice starts afresh. */
  tired(): boolean;
  close(): void;
}

/** One unit is two or three nanoseconds of work. A plain expression spends a thousand or two. */
export const TRANSFORM_LIMITS: TransformLimits = {
  fuel: 5_000_000,
  maxChars: 32 * 1024,
  enough: 100_000_000,
  budget: 400_000_000,
};

/** Calls cost time outside of QuickJS too, and putting the memory back after one that was cut off costs most. */
const CALL_COST = 2_000;

/**
 * Compiles the expressions of all rows, each once. Nothing is loaded where no row has one, and nothing is thrown: what cannot
 * be compiled fails record by record.
 */
export async function openTransforms(
  rows: readonly TransformRow[],
  limits: TransformLimits = TRANSFORM_LIMITS,
): Promise<Transforms> {
  const sources = [...new Set(rows.flatMap(({ transform_function: source }) => (source ? [source] : [])))];
  if (sources.length === 0) return new OpenTransforms(noSandbox("nothing was opened"), new Map(), limits);
  try {
    const machine = await Machine.start(limits);
    const compiled = machine.compile(sources);
    return new OpenTransforms(machine, new Map(compiled.map((one, index) => [sources[index] ?? "", one])), limits);
  } catch (error) {
    return new OpenTransforms(noSandbox(String(error)), new Map(), limits);
  }
}

export async function checkTransform(expression: string): Promise<{ ok: true } | { ok: false; message: string }> {
  const machine = await Machine.start(TRANSFORM_LIMITS);
  const [compiled] = machine.compile([expression]);
  if (compiled?.expression) return { ok: true };
  return { ok: false, message: `This is not a JavaScript expression over value and record: ${compiled?.problem}.` };
}

class OpenTransforms implements Transforms {
  #machine: Machine | TransformFailure;
  readonly #compiled: ReadonlyMap<string, Compiled>;
  readonly #limits: TransformLimits;
  #spent = 0;

  constructor(machine: Machine | TransformFailure, compiled: ReadonlyMap<string, Compiled>, limits: TransformLimits) {
    this.#machine = machine;
    this.#compiled = compiled;
    this.#limits = limits;
  }

  apply(row: TransformRow, value: unknown, record: Readonly<Record<string, unknown>>): Json | TransformFailure {
    const source = row.transform_function;
    if (!source) return value as Json;
    if (this.#machine instanceof TransformFailure) return this.#machine;
    const compiled = this.#compiled.get(source);
    if (!compiled?.expression) return invalid(compiled?.problem ?? "it was not opened");
    if (this.#spent >= this.#limits.budget) return OVER_BUDGET;
    const input = JSON.stringify({ value, record: mentionsRecord(source) ? record : {} });
    const { cut, answer } = this.#machine.run(compiled.expression, input);
    this.#spent += this.#machine.spent + CALL_COST;
    return cut ? CUT[cut] : read(answer);
  }

  fieldsUsed({ transform_function: source }: TransformRow): string[] {
    return source ? fieldsIn(source) : [];
  }

  tired(): boolean {
    return this.#spent >= this.#limits.enough;
  }

  close(): void {
    this.#machine = noSandbox("it is closed");
  }
}

function read(answer: string): Json | TransformFailure {
  return answer.startsWith("=") ? (JSON.parse(answer.slice(1)) as Json) : failed(answer.slice(1));
}
