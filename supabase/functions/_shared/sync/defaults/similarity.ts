/** How alike two names are, 0 to 1. Small and our own: names of fields are a few words, spelled in a few ways. */

/** Words that are spelled differently, but not by more than a letter or two. */
const SAME_WORD = 0.9;
const COMMON_START = 4;
const START_WEIGHT = 0.1;

/** `Lead_Source__c`, "Lead Source" and `leadSource` are the same two words. */
export function words(name: string): string[] {
  return name
    .replace(/__c$/i, "")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
}

/** Dice over words, each as alike as its best partner; the same letters are the same name, however they are cut into words. */
export function likeness(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return 0;
  if (a.join("") === b.join("")) return 1;
  return (shared(a, b) + shared(b, a)) / (a.length + b.length);
}

function shared(words: readonly string[], others: readonly string[]): number {
  return words.reduce((sum, word) => sum + Math.max(...others.map((other) => wordLikeness(word, other))), 0);
}

function wordLikeness(a: string, b: string): number {
  const alike = jaroWinkler(a, b);
  return alike < SAME_WORD ? 0 : alike;
}

export function jaroWinkler(a: string, b: string): number {
  const alike = jaro(a, b);
  let start = 0;
  while (start < COMMON_START && start < a.length && a[start] === b[start]) start += 1;
  return alike + start * START_WEIGHT * (1 - alike);
}

function jaro(a: string, b: string): number {
  if (a === b) return 1;
  const matchesOfA = matching(a, b);
  const matchesOfB = matching(b, a);
  const count = matchesOfA.length;
  if (count === 0) return 0;
  const swapped = matchesOfA.filter((letter, place) => letter !== matchesOfB[place]).length / 2;
  return (count / a.length + count / b.length + (count - swapped) / count) / 3;
}

/** The letters of `a` that `b` has near the same place, in the order of `a`. */
function matching(a: string, b: string): string[] {
  const reach = Math.max(0, Math.floor(Math.max(a.length, b.length) / 2) - 1);
  const free = new Set(b.split("").keys());
  return a.split("").filter((letter, at) => {
    for (let place = Math.max(0, at - reach); place <= Math.min(b.length - 1, at + reach); place += 1) {
      if (free.has(place) && b[place] === letter) return free.delete(place);
    }
    return false;
  });
}
