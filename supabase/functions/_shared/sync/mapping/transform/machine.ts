import type { QuickJSContext, QuickJSHandle } from "quickjs-emscripten-core";
import { PRELUDE } from "./prelude.ts";
import { type Engine, startEngine } from "./quickjs.ts";

export interface MachineLimits {
  /** What one call may spend: calls of functions and turns of loops in QuickJS's machine code. */
  fuel: number;
  /** Of a result, as JSON. */
  maxChars: number;
}

export type Expression = QuickJSHandle;
export type Compiled = { expression: Expression; problem?: never } | { problem: string; expression?: never };
/** What the prelude's call answers, or why the call was cut off. */
export type Outcome = { answer: string; cut?: never } | { cut: "fuel" | "stack"; answer?: never };

interface Photograph {
  /** All of it up to where only zeros follow. */
  memory: Int32Array;
  stackPointer: number;
}

/** More would overflow the stack of the host, which QuickJS knows nothing of. */
const STACK_BYTES = 32 * 1024;
const MAX_DEPTH = 12;
const MAX_WORDS = 200;
const ENDLESS = 0x7fffffff;
/** After a call that spends more, the memory is put back: garbage that it left must take no room from the next. */
const CHEAP = 200_000;
/** Without Proxy, typed arrays, BigInt and Promise: an expression has no use for them. */
const INTRINSICS = {
  BaseObjects: true,
  Date: true,
  Eval: true,
  StringNormalize: true,
  RegExp: true,
  JSON: true,
  MapSet: true,
};
const FAILED = "!failed: it could not be carried through";

/**
 * One sandbox. A call that has spent its fuel is cut off wherever it is, which leaves QuickJS in the middle of something; its
 * memory is then put back to how it was before the first call.
 */
export class Machine {
  readonly #engine: Engine;
  readonly #context: QuickJSContext;
  readonly #limits: MachineLimits;
  readonly #call: QuickJSHandle;
  #photograph: Photograph;
  #spent = 0;
  /** The memory is as photographed: no call has left anything in it. */
  #fresh = true;

  static async start(limits: MachineLimits): Promise<Machine> {
    return new Machine(await startEngine(), limits);
  }

  private constructor(engine: Engine, limits: MachineLimits) {
    const runtime = engine.quickjs.newRuntime({ maxStackSizeBytes: STACK_BYTES });
    this.#engine = engine;
    this.#limits = limits;
    this.#context = runtime.newContext({ intrinsics: INTRINSICS });
    const options = JSON.stringify({ maxDepth: MAX_DEPTH, maxWords: MAX_WORDS, maxChars: limits.maxChars });
    this.#call = this.#context.unwrapResult(this.#context.evalCode(`${PRELUDE}(${options})`, "prelude"));
    this.#photograph = this.#photographed();
  }

  /** What the last call spent. */
  get spent(): number {
    return this.#spent;
  }

  /** Each is tried from the same state first; those that can be compiled are then compiled to stay. To be called once. */
  compile(sources: readonly string[]): Compiled[] {
    const problems = sources.map((source) => {
      const tried = this.#guarded((): Compiled => this.#compiled(source));
      this.#rewind();
      return "cut" in tried ? TOO_COMPLEX : (tried.problem ?? null);
    });
    const compiled = sources.map((source, index): Compiled => {
      const problem = problems[index];
      return problem ? { problem } : this.#compiled(source);
    });
    this.#photograph = this.#photographed();
    return compiled;
  }

  /** A failure counts only from a fresh start: it may be the garbage of calls before that left no room for this one. */
  run(expression: Expression, input: string): Outcome {
    const wasFresh = this.#fresh;
    const outcome = this.#ran(expression, input);
    if (wasFresh || outcome.answer?.startsWith("=")) return outcome;
    const before = this.#spent;
    this.#rewind();
    const again = this.#ran(expression, input);
    this.#spent += before;
    return again;
  }

  #ran(expression: Expression, input: string): Outcome {
    this.#fresh = false;
    const outcome = this.#guarded((): Outcome => ({ answer: this.#called(expression, input) }));
    if (this.#spent > CHEAP) this.#rewind();
    return outcome;
  }

  /** The end of the brackets around an expression is not its to write: what fits into both kinds is one expression. */
  #compiled(source: string): Compiled {
    for (const [open, close] of ["[]", "()"]) {
      const code = `"use strict"; (value, record) => ${open}${source}\n${close}`;
      const result = this.#context.evalCode(code, "transform");
      if (result.error) return { problem: syntaxProblem(result.error.consume((error) => this.#context.dump(error))) };
      if (open === "(") return { expression: result.value };
      result.value.dispose();
    }
    throw new Error("unreachable");
  }

  #called(expression: Expression, input: string): string {
    const context = this.#context;
    const result = context
      .newString(input)
      .consume((text) => context.callFunction(this.#call, context.undefined, expression, text));
    if (!result.error) return result.value.consume((text) => context.getString(text));
    result.error.dispose();
    return FAILED;
  }

  #guarded<T>(work: () => T): T | { cut: "fuel" | "stack" } {
    const { fuel } = this.#engine;
    fuel.value = this.#limits.fuel;
    try {
      const result = work();
      this.#spent = this.#limits.fuel - fuel.value;
      return result;
    } catch (error) {
      const cut = reason(error);
      if (cut === null) throw error;
      this.#spent = this.#limits.fuel;
      this.#rewind();
      return { cut };
    } finally {
      fuel.value = ENDLESS;
    }
  }

  #photographed(): Photograph {
    const words = new Int32Array(this.#engine.memory.buffer);
    let end = words.length;
    while (end > 0 && words[end - 1] === 0) end -= 1;
    return { memory: words.slice(0, end), stackPointer: this.#engine.stackPointer.value };
  }

  #rewind(): void {
    new Int32Array(this.#engine.memory.buffer).set(this.#photograph.memory);
    this.#engine.stackPointer.value = this.#photograph.stackPointer;
    this.#fresh = true;
  }
}

const TOO_COMPLEX = "it is too complex";

function reason(error: unknown): "fuel" | "stack" | null {
  if (error instanceof WebAssembly.RuntimeError) return "fuel";
  return error instanceof RangeError ? "stack" : null;
}

function syntaxProblem(error: unknown): string {
  const message = typeof error === "object" && error !== null && "message" in error ? String(error.message) : "";
  return message || "it is not a JavaScript expression";
}
