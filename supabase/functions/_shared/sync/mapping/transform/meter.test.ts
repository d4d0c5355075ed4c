import { describe, expect, it } from "vitest";
import { FUEL, metered, STACK_POINTER } from "./meter.ts";

const STACK_GLOBAL = [0x7f, 1, 0x41, 0, 0x0b];

/** A module with one function, `run`, and a global or more. */
function wasm(code: readonly number[], globals = [1, ...STACK_GLOBAL]): Uint8Array<ArrayBuffer> {
  const section = (id: number, body: readonly number[]) => [id, body.length, ...body];
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 0, 0]),
    ...section(3, [1, 0]),
    ...section(6, globals),
    ...section(7, [1, 3, 0x72, 0x75, 0x6e, 0, 0]),
    ...section(10, [1, code.length + 2, 0, ...code, 0x0b]),
  ]);
}

const SPIN = [0x03, 0x40, 0x0c, 0, 0x0b];
const CALL_ITSELF = [0x10, 0];

async function start(code: readonly number[]) {
  const { instance } = await WebAssembly.instantiate(metered(wasm(code)));
  const { run, [FUEL]: fuel, [STACK_POINTER]: stack } = instance.exports;
  return { run: run as () => void, fuel: fuel as WebAssembly.Global, stack: stack as WebAssembly.Global };
}

describe("a metered module", () => {
  it.each([
    ["a loop", SPIN],
    ["calls", CALL_ITSELF],
  ])("stops %s when the fuel is spent", async (_name, code) => {
    const { run, fuel } = await start(code);
    fuel.value = 500;
    expect(run).toThrow(WebAssembly.RuntimeError);
    expect(fuel.value).toBe(-1);
  });

  it("pays one for a call and nothing for what runs straight through", async () => {
    const { run, fuel, stack } = await start([0x41, 7, 0x24, 0]);
    fuel.value = 500;
    run();
    expect([fuel.value, stack.value]).toEqual([499, 7]);
  });

  it("is not made of instructions that the meter does not know", () => {
    expect(() => metered(wasm([0xfd, 0, 0]))).toThrow("0xfd cannot be metered");
    expect(() => metered(wasm([0xfc, 99]))).toThrow("cannot be metered");
  });

  it("is not made where a trap could leave more than the stack pointer behind", () => {
    expect(() => metered(wasm(SPIN, [2, ...STACK_GLOBAL, ...STACK_GLOBAL]))).toThrow("2 globals");
  });
});
