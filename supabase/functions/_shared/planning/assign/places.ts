/** One person-sized place of a demand. */
export interface Place {
  id: string;
  critical: boolean;
  /** Share of a person's time that it takes, by slice of time; slices in which it does not run have 0. */
  load: readonly number[];
}

export interface Person {
  id: string;
  /** Free share of the time, by slice. */
  free: readonly number[];
}

/** That a person could take a place, and how well (1 to 100). */
export interface Option {
  place: number;
  person: number;
  score: number;
}

export interface Assignment {
  /** Person by place; null where nobody is left. */
  byPlace: (number | null)[];
  filled: number;
  score: number;
  /** Whether nothing better can exist. False when the search was cut short: then it is a good assignment, not a proof. */
  proven: boolean;
}

/** Rounding of shares that add up to a whole. */
export const TOLERANCE = 1e-9;

export function canHold(person: Person, places: readonly Place[]): boolean {
  return person.free.every(
    (free, slice) => places.reduce((sum, place) => sum + (place.load[slice] ?? 0), 0) <= free + TOLERANCE,
  );
}
