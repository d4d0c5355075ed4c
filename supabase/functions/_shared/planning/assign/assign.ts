import { FlowNetwork } from "./minCostFlow.ts";
import { type Assignment, canHold, type Option, type Person, type Place } from "./places.ts";

/** Relaxations solved before the search gives up proving: a second of work for a deal of fifty places. */
const MAX_NODES = 2_000;

interface Relaxed {
  byPlace: (number | null)[];
  value: number;
}

interface Node extends Relaxed {
  /** Options that must not be used, as `place:person`. */
  forbidden: ReadonlySet<string>;
}

/**
 * Who takes which place: as many critical places as possible, then as many places as possible, then the best matches.
 * Nobody is booked beyond their free time in any slice.
 *
 * Taking several places side by side makes this a generalised assignment, which no flow solves alone. So the flow
 * solves it with "how many places could one hold at most" as capacities, which is never worse than the truth, and the
 * search forbids one place after another of whoever is overbooked, best bound first (Land and Doig, Econometrica 28,
 * 1960). Mostly the first flow fits already.
 */
export function assignPlaces(
  places: readonly Place[],
  people: readonly Person[],
  options: readonly Option[],
  maxNodes = MAX_NODES,
): Assignment {
  const usable = options.filter(({ place, person }) => canHold(people[person] as Person, [places[place] as Place]));
  const worth = worthOf(places, usable);
  const open: Node[] = [{ forbidden: new Set(), ...relax(places, people, usable, worth, new Set()) }];
  let best: Relaxed | null = null;
  let solved = 1;
  while (open.length > 0) {
    const node = takeBest(open);
    if (best !== null && node.value <= best.value) break;
    const clash = overbooked(node, places, people);
    if (clash === null) return toAssignment(node, usable, true);
    const repaired = drop(node, places, people, worth, usable);
    if (best === null || repaired.value > best.value) best = repaired;
    if (solved >= maxNodes) return toAssignment(best, usable, false);
    for (const place of clash.places) {
      const forbidden = new Set(node.forbidden).add(`${place}:${clash.person}`);
      open.push({ forbidden, ...relax(places, people, usable, worth, forbidden) });
      solved++;
    }
  }
  return toAssignment(best ?? { byPlace: places.map(() => null), value: 0 }, usable, true);
}

type Worth = (option: Option) => number;

/** One filled place beats any sum of scores, one critical place any number of others. */
function worthOf(places: readonly Place[], options: readonly Option[]): Worth {
  const most = options.reduce((max, { score }) => Math.max(max, score), 0);
  const filled = most * places.length + 1;
  const critical = (filled + most) * places.length + 1;
  return ({ place, score }) => score + filled + (places[place]?.critical ? critical : 0);
}

function relax(
  places: readonly Place[],
  people: readonly Person[],
  options: readonly Option[],
  worth: Worth,
  forbidden: ReadonlySet<string>,
): Relaxed {
  const source = places.length + people.length;
  const sink = source + 1;
  const network = new FlowNetwork(sink + 1);
  for (const place of places.keys()) {
    network.addEdge(source, place, 1, 0);
    // Leaving it empty is always possible, so the flow never has to take a bad deal.
    network.addEdge(place, sink, 1, 0);
  }
  const used = options.filter(({ place, person }) => !forbidden.has(`${place}:${person}`));
  const edges = used.map((option) => network.addEdge(option.place, places.length + option.person, 1, -worth(option)));
  for (const [index, person] of people.entries()) {
    const mine = used.filter((option) => option.person === index).map(({ place }) => places[place] as Place);
    network.addEdge(places.length + index, sink, mostAtOnce(person, mine), 0);
  }
  const { cost } = network.sendAll(source, sink);
  const byPlace: (number | null)[] = places.map(() => null);
  for (const [index, { place, person }] of used.entries())
    if (network.flowOn(edges[index] as number) > 0) byPlace[place] = person;
  return { byPlace, value: -cost };
}

/**
 * An upper bound: the smallest loads first, against all the time there is. Places without load in common slices count
 * apart.
 */
function mostAtOnce(person: Person, places: readonly Place[]): number {
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + Math.max(0, value), 0);
  let room = total(person.free) + 1e-9;
  let count = 0;
  for (const load of places.map((place) => total(place.load)).sort((a, b) => a - b)) {
    if (load > room) break;
    room -= load;
    count++;
  }
  return count;
}

function overbooked(
  { byPlace }: Relaxed,
  places: readonly Place[],
  people: readonly Person[],
): { person: number; places: number[] } | null {
  for (const [person, who] of people.entries()) {
    const taken = [...byPlace.keys()].filter((place) => byPlace[place] === person);
    if (
      !canHold(
        who,
        taken.map((place) => places[place] as Place),
      )
    )
      return { person, places: taken };
  }
  return null;
}

/** The same without what is too much: something that holds, to compare with. */
function drop(
  node: Relaxed,
  places: readonly Place[],
  people: readonly Person[],
  worth: Worth,
  options: readonly Option[],
): Relaxed {
  const byPlace = [...node.byPlace];
  for (
    let clash = overbooked({ ...node, byPlace }, places, people);
    clash !== null;
    clash = overbooked({ ...node, byPlace }, places, people)
  )
    byPlace[clash.places.at(-1) as number] = null;
  const value = options.reduce((sum, option) => sum + (byPlace[option.place] === option.person ? worth(option) : 0), 0);
  return { byPlace, value };
}

function takeBest(open: Node[]): Node {
  const index = open.reduce((best, node, at) => (node.value > (open[best] as Node).value ? at : best), 0);
  return open.splice(index, 1)[0] as Node;
}

function toAssignment({ byPlace }: Relaxed, options: readonly Option[], proven: boolean): Assignment {
  const score = options.reduce((sum, option) => sum + (byPlace[option.place] === option.person ? option.score : 0), 0);
  return { byPlace, filled: byPlace.filter((person) => person !== null).length, score, proven };
}
