import { createServer } from "node:net";

export const DEFAULT_PORT_BASE = 54320;

/** The fixed places of a stack's services, counted from its port base (defaults: API 54321, database 54322). */
export function portsFrom(base: number) {
  return {
    api: base + 1,
    database: base + 2,
    salesforce: base + 3,
    hubspot: base + 4,
    returnPage: base + 9,
  } as const;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/** The last ports of a block are nobody's service: whoever listens there holds the block, or what runs on it. */
const BLOCK = 99;
const USE = 98;

/** Holds a port for as long as this process lives. Two that look at the same moment cannot both get it. */
function hold(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const holder = createServer();
    holder.once("error", () => resolve(false));
    holder.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(true));
    holder.unref();
  });
}

/** Has what runs on a block to itself from now on, unless another process does. */
export function holdForUse(base: number): Promise<boolean> {
  return hold(base + USE);
}

/** The first base from `from` on, in steps of 100, that nobody claims and whose first 60 ports are all free; claimed from now on. */
export async function findPortBase(from: number): Promise<number> {
  for (let base = from; base < 65_000; base += 100) {
    if (!(await hold(base + BLOCK))) continue;
    const free = await Promise.all(Array.from({ length: 60 }, (_, offset) => isFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
  throw new Error(`No 60 free ports in a row from ${from} on. Stop something, or set PIPELINE_PORT_BASE.`);
}

const PORT_ATTEMPTS = 5;

/** Starts something on free ports, and elsewhere when somebody else took one of them after it was found free. */
export async function onFreePorts<T>(from: number, start: (portBase: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(await findPortBase(from + (attempt - 1) * 100));
    } catch (error) {
      if ((error as { kind?: unknown }).kind !== "port_taken" || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

export function parsePortBase(given: string | undefined): number {
  const raw = given ?? process.env.PIPELINE_PORT_BASE;
  if (raw === undefined || raw === "") return DEFAULT_PORT_BASE;
  const base = Number(raw);
  if (!Number.isInteger(base) || base < 1024 || base > 65_400) {
    throw new Error(
      `The port base must be a whole number from 1024 to 65400, not "${raw}". Give --port-base N or set PIPELINE_PORT_BASE.`,
    );
  }
  return base;
}
