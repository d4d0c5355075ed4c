import type { WeekLoad } from "./data.ts";

/** From which load on a level begins, as a share of the hours there are. */
export const LOAD_LIMITS = [0.6, 0.85, 1, 1.2] as const;
export const LOAD_NAMES = ["room", "healthy", "full", "too much", "far too much"] as const;
export type LoadLevel = 0 | 1 | 2 | 3 | 4;

/** Hours promised and hours likely to be asked for, over the hours there are; null: nobody is asked and nobody is there. */
export function loadOf({ capacity, allocated, demand }: WeekLoad): number | null {
  const asked = allocated + demand;
  if (capacity <= 0) return asked > 0 ? Number.POSITIVE_INFINITY : null;
  return asked / capacity;
}

export function levelOf(load: number): LoadLevel {
  return LOAD_LIMITS.filter((limit) => load > limit).length as LoadLevel;
}

/** Per cent without the sign; ∞ where hours are asked of nobody, nothing where none are asked. */
export function loadText(load: number | null): string {
  if (load === null) return "";
  return Number.isFinite(load) ? String(Math.round(load * 100)) : "∞";
}
