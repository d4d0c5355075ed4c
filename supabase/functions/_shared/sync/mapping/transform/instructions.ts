import type { Reader } from "./bytes.ts";

export const LOOP = 0x03;
export const BULK = 0xfc;
export const MEMORY_COPY = 10;
export const MEMORY_FILL = 11;

const number = (code: Reader) => code.skipNumber();
const twoNumbers = (code: Reader) => {
  code.skipNumber();
  code.skipNumber();
};
const take = (length: number) => (code: Reader) => {
  code.take(length);
};
const branchTable = (code: Reader) => {
  for (let left = code.uint(); left >= 0; left -= 1) code.skipNumber();
};

/** What follows an opcode; for those that are not listed, see `hasNone`. */
const OPERANDS = new Map<number, (code: Reader) => void>([
  ...[0x02, LOOP, 0x04, 0x0c, 0x0d, 0x10, 0x20, 0x21, 0x22, 0x23, 0x24, 0x3f, 0x40, 0x41, 0x42].map(
    (opcode) => [opcode, number] as const,
  ),
  [0x0e, branchTable],
  [0x11, twoNumbers],
  ...range(0x28, 0x3e).map((opcode) => [opcode, twoNumbers] as const),
  [0x43, take(4)],
  [0x44, take(8)],
]);

/** Control, drop and select, and everything from comparison to sign extension. */
function hasNone(opcode: number): boolean {
  return [0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b].includes(opcode) || (opcode >= 0x45 && opcode <= 0xc4);
}

/** Of the 0xfc family: saturating conversions, and the two that work on memory. */
const BULK_OPERANDS = new Map<number, (code: Reader) => void>([
  ...range(0, 7).map((opcode) => [opcode, () => {}] as const),
  [MEMORY_COPY, twoNumbers],
  [MEMORY_FILL, number],
]);

/** Moves past what belongs to an instruction. One that nobody knows here is an error: nothing may go unmetered. */
export function skipOperands(opcode: number, code: Reader): void {
  const skip = OPERANDS.get(opcode);
  if (skip !== undefined) skip(code);
  else if (!hasNone(opcode)) throw unknown(opcode);
}

/** The same for the second opcode of a bulk instruction, which is the answer. */
export function skipBulk(code: Reader): number {
  const opcode = code.uint();
  const skip = BULK_OPERANDS.get(opcode);
  if (skip === undefined) throw unknown(BULK * 256 + opcode);
  skip(code);
  return opcode;
}

function unknown(opcode: number): Error {
  return new Error(`WebAssembly instruction 0x${opcode.toString(16)} cannot be metered.`);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
