import { Reader, uint, Writer } from "./bytes.ts";
import { BULK, LOOP, MEMORY_COPY, MEMORY_FILL, skipBulk, skipOperands } from "./instructions.ts";

/** The exports that metering adds: what may still be spent, and the stack pointer that the module keeps to itself. */
export const FUEL = "fuel";
export const STACK_POINTER = "stack_pointer";

/**
 * Rewrites a WebAssembly module so that it pays for its work: each call of a function and each turn of a loop costs one, and
 * copying memory costs by its length. When nothing is left, the module traps, wherever it is.
 *
 * QuickJS asks its own interrupt handler only now and then, and inside its built-ins and operators never: ten thousand
 * comparisons of two long texts, or one search in an array that claims four billion elements, cannot be stopped with it.
 */
export function metered(binary: Uint8Array): Uint8Array<ArrayBuffer> {
  const sections = sectionsOf(binary);
  const fuel = ownGlobals(sections);
  const out = new Writer(binary.length * 2);
  out.add(binary.subarray(0, HEADER));
  for (const { id, body } of sections) {
    out.add([id]);
    out.sized(REWRITE[id]?.(body, fuel) ?? body);
  }
  return out.done();
}

interface Section {
  id: number;
  body: Uint8Array;
}

const HEADER = 8;
const ID = { import: 2, global: 6, export: 7, code: 10 } as const;
const KIND_GLOBAL = 3;
const I32 = 0x7f;

/** Of two new globals the first counts; the second remembers a length for a moment. */
const REWRITE: Record<number, (body: Uint8Array, fuel: number) => Uint8Array> = {
  [ID.global]: (body) => appended(body, [...GLOBAL, ...GLOBAL], 2),
  [ID.export]: (body, fuel) => appended(body, [...exported(FUEL, fuel), ...exported(STACK_POINTER, 0)], 2),
  [ID.code]: meteredCode,
};

function exported(name: string, index: number): number[] {
  return [...uint(name.length), ...new TextEncoder().encode(name), KIND_GLOBAL, ...uint(index)];
}

/** Mutable, and without end at first: the module sets itself up before anybody can fill it. */
const GLOBAL = [I32, 0x01, 0x41, 0xff, 0xff, 0xff, 0xff, 0x07, 0x0b];

function sectionsOf(binary: Uint8Array): Section[] {
  const reader = new Reader(binary);
  reader.take(HEADER);
  const sections: Section[] = [];
  while (!reader.done) sections.push({ id: reader.byte(), body: reader.sized() });
  return sections;
}

/**
 * How many globals there are, which is the index that the first new one gets. Nothing may be imported but functions and a
 * memory, so that none shifts it, and the only one of its own is the stack pointer: all that is to be put back after a trap.
 */
function ownGlobals(sections: readonly Section[]): number {
  const imports = sections.find(({ id }) => id === ID.import);
  if (imports !== undefined) refuseGlobals(new Reader(imports.body));
  const own = sections.find(({ id }) => id === ID.global);
  const count = own === undefined ? 0 : new Reader(own.body).uint();
  if (count !== 1) throw new Error(`The WebAssembly module has ${count} globals; only a stack pointer is expected.`);
  return count;
}

function refuseGlobals(reader: Reader): void {
  for (let left = reader.uint(); left > 0; left -= 1) {
    reader.sized();
    reader.sized();
    const kind = reader.byte();
    if (kind === 0) reader.skipNumber();
    else if (kind === 2) skipLimits(reader);
    else throw new Error("The WebAssembly module imports something other than functions and memory.");
  }
}

function skipLimits(reader: Reader): void {
  const hasMaximum = (reader.byte() & 1) === 1;
  reader.skipNumber();
  if (hasMaximum) reader.skipNumber();
}

function appended(body: Uint8Array, more: readonly number[], count: number): Uint8Array {
  const reader = new Reader(body);
  const out = new Writer(body.length + more.length + 5);
  out.uint(reader.uint() + count);
  out.add(body.subarray(reader.at));
  out.add(more);
  return out.done();
}

function meteredCode(body: Uint8Array, fuel: number): Uint8Array {
  const reader = new Reader(body);
  const out = new Writer(body.length * 2);
  const count = reader.uint();
  out.uint(count);
  for (let left = count; left > 0; left -= 1) out.sized(meteredFunction(reader.sized(), fuel));
  return out.done();
}

function meteredFunction(body: Uint8Array, fuel: number): Uint8Array {
  const code = new Reader(body);
  const out = new Writer(body.length * 2 + 64);
  const pay = payOne(fuel);
  let kept = 0;
  const insert = (extra: readonly number[], at: number) => {
    out.add(body.subarray(kept, at));
    out.add(extra);
    kept = at;
  };
  skipLocals(code);
  insert(pay, code.at);
  while (!code.done) {
    const start = code.at;
    const opcode = code.byte();
    if (opcode === BULK) {
      if (MOVES.has(skipBulk(code))) insert(payLength(fuel), start);
    } else {
      skipOperands(opcode, code);
      if (opcode === LOOP) insert(pay, code.at);
    }
  }
  out.add(body.subarray(kept));
  return out.done();
}

const MOVES = new Set([MEMORY_COPY, MEMORY_FILL]);

function skipLocals(code: Reader): void {
  for (let left = code.uint(); left > 0; left -= 1) {
    code.skipNumber();
    code.byte();
  }
}

/** fuel -= 1; if (fuel < 0) unreachable */
function payOne(fuel: number): number[] {
  const index = uint(fuel);
  return [
    ...[0x23, ...index, 0x41, 1, 0x6b, 0x24, ...index],
    ...[0x23, ...index, 0x41, 0, 0x48, 0x04, 0x40, 0x00, 0x0b],
  ];
}

/** The length is on top of the stack. fuel -= length / 16; the next payment notices. */
function payLength(fuel: number): number[] {
  const index = uint(fuel);
  const length = uint(fuel + 1);
  return [
    ...[0x24, ...length],
    ...[0x23, ...index, 0x23, ...length, 0x41, 4, 0x76, 0x6b, 0x24, ...index],
    ...[0x23, ...length],
  ];
}
