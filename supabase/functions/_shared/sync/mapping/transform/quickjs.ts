import type { QuickJSWASMModule } from "quickjs-emscripten-core";
import { FUEL, metered, STACK_POINTER } from "./meter.ts";

/** QuickJS with the parts of its WebAssembly instance that the sandbox holds on to. */
export interface Engine {
  quickjs: QuickJSWASMModule;
  memory: WebAssembly.Memory;
  /** What may still be spent. */
  fuel: WebAssembly.Global;
  stackPointer: WebAssembly.Global;
}

/**
 * 16 MB, the least that the module starts with, of which its stack and its constants take 5. More than it starts with it never
 * gets: QuickJS has a limit of its own, but under Emscripten it does not learn how large a block of memory is.
 */
const MEMORY_PAGES = 256;

/** An instance of its own for each caller. The packages are loaded, and the code is metered and compiled, once. */
export async function startEngine(): Promise<Engine> {
  const [core, variant, compiled] = await Promise.all([
    import("quickjs-emscripten-core"),
    import("@jitl/quickjs-singlefile-mjs-release-sync"),
    meteredModule(),
  ]);
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
  const parts: Partial<Engine> = {};
  const instantiateWasm = (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => {
    const instance = new WebAssembly.Instance(compiled, imports);
    parts.fuel = globalOf(instance, FUEL);
    parts.stackPointer = globalOf(instance, STACK_POINTER);
    done(instance);
    return instance.exports;
  };
  const own = core.newVariant(variant.default, { wasmMemory: memory, emscriptenModule: { instantiateWasm } });
  const quickjs = await core.newQuickJSWASMModuleFromVariant(own);
  const { fuel, stackPointer } = parts;
  if (!fuel || !stackPointer) throw new Error("QuickJS started without its meter.");
  return { quickjs, memory, fuel, stackPointer };
}

function globalOf(instance: WebAssembly.Instance, name: string): WebAssembly.Global | undefined {
  const found = instance.exports[name];
  return found instanceof WebAssembly.Global ? found : undefined;
}

let module: Promise<WebAssembly.Module> | undefined;

function meteredModule(): Promise<WebAssembly.Module> {
  module ??= embeddedBinary()
    .then((binary) => WebAssembly.compile(metered(binary)))
    .catch((error: unknown) => {
      module = undefined;
      throw error;
    });
  return module;
}

/**
 * The package carries its WebAssembly binary inside a script and hands it to nobody but WebAssembly.instantiate. So that is
 * where it is picked up, once; whatever else is instantiated in that moment goes its way.
 */
async function embeddedBinary(): Promise<Uint8Array> {
  const { newQuickJSWASMModuleFromVariant } = await import("quickjs-emscripten-core");
  const { default: variant } = await import("@jitl/quickjs-singlefile-mjs-release-sync");
  const instantiate = WebAssembly.instantiate;
  try {
    return await new Promise<Uint8Array>((found, failed) => {
      const pickUp = (source: unknown, imports: unknown) => {
        if (!(source instanceof Uint8Array)) return Reflect.apply(instantiate, WebAssembly, [source, imports]);
        found(source);
        return new Promise(() => {});
      };
      WebAssembly.instantiate = pickUp as typeof instantiate;
      newQuickJSWASMModuleFromVariant(variant).then(() => failed(new Error(NOT_SEEN)), failed);
    });
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}

const NOT_SEEN = "QuickJS started without handing its WebAssembly binary to WebAssembly.instantiate.";
