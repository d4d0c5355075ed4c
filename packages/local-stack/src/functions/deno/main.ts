/**
 * Runs one Edge Function in plain Deno the way hosted does: both entry styles on the port we give, whatever port the code
 * asks for, and the EdgeRuntime global. Ends when its parent does: then its standard input closes.
 */
interface DenoNamespace {
  args: string[];
  serve(options: unknown, handler?: unknown): { finished: Promise<void> };
  stdin: { readable: ReadableStream<Uint8Array> };
  exit(code: number): never;
  writeTextFile(path: string, text: string): Promise<void>;
}
declare const Deno: DenoNamespace;

type Handler = (request: Request, info: unknown) => Response | Promise<Response>;

const [entry, port] = Deno.args as [string, string];
const serveOn = Deno.serve;
const readyMark = "\u0001ready";
let serving = false;

function serve(handler: Handler) {
  serving = true;
  return serveOn(
    { hostname: "127.0.0.1", port: Number(port), onListen: () => console.log(readyMark) },
    (request: Request, info: unknown) => handler(asPublished(request), info),
  );
}

/** The code sees the address that the caller used, as on hosted, not our internal port. */
function asPublished(request: Request): Request {
  const host = request.headers.get("x-forwarded-host");
  if (!host || request.headers.get("upgrade")) return request;
  const url = new URL(request.url);
  url.host = host;
  url.protocol = request.headers.get("x-forwarded-proto") ?? "http";
  return new Request(url, request);
}

Object.defineProperty(Deno, "serve", {
  value: (first: unknown, second?: unknown) => {
    const handler = [first, second, (first as { handler?: unknown })?.handler].find(
      (each) => typeof each === "function",
    );
    return serve(handler as Handler);
  },
});

const background = new Set<Promise<unknown>>();
Object.defineProperty(globalThis, "EdgeRuntime", {
  value: {
    waitUntil: (promise: Promise<unknown>) => {
      background.add(promise);
      promise.then(
        () => background.delete(promise),
        (error: unknown) => {
          background.delete(promise);
          console.error("background task failed:", error);
        },
      );
      return promise;
    },
  },
});

async function endWithParent(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
  Deno.exit(0);
}
void endWithParent();

// One bad promise must not end the worker: hosted logs it and goes on.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  console.error("unhandled rejection:", (event as unknown as { reason: unknown }).reason);
});

try {
  const module = (await import(entry)) as { default?: { fetch?: Handler } };
  if (typeof module.default?.fetch === "function") serve(module.default.fetch.bind(module.default));
  if (!serving) throw new Error("it neither calls Deno.serve nor exports a fetch handler");
} catch (error) {
  console.error(error);
  Deno.exit(1);
}
