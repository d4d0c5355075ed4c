import { FlowNetwork } from "./minCostFlow.ts";

/** Hours that are asked for in one stretch of time, and who could give them. */
export interface Ask {
  key: string;
  minutes: number;
}

export interface Giver {
  id: string;
  minutes: number;
  /**
   * Keys of the asks that this person could answer, with what a minute of it costs (0 for the very thing, more for a
   * stretch).
   */
  serves: readonly { key: string; cost: number }[];
}

export interface Coverage {
  /** Minutes that are covered, by key of the ask. */
  covered: Map<string, number>;
  minutes: number;
}

/**
 * As much of the asked time as a team can give, where everybody's minutes count once: a maximum flow, with the best
 * fitting people first. Adding up "who has the skill" by skill would count a person as often as they have skills.
 * Whole minutes, so nothing is lost to rounding.
 */
export function coverAsks(asks: readonly Ask[], givers: readonly Giver[]): Coverage {
  const source = asks.length + givers.length;
  const sink = source + 1;
  const network = new FlowNetwork(sink + 1);
  const places = new Map(asks.map(({ key }, index) => [key, index]));
  for (const [index, { minutes, serves }] of givers.entries()) {
    network.addEdge(source, asks.length + index, minutes, 0);
    for (const { key, cost } of serves) {
      const ask = places.get(key);
      if (ask !== undefined) network.addEdge(asks.length + index, ask, minutes, cost);
    }
  }
  const ends = asks.map(({ minutes }, index) => network.addEdge(index, sink, minutes, 0));
  const { flow } = network.sendAll(source, sink);
  return {
    covered: new Map(asks.map(({ key }, index) => [key, network.flowOn(ends[index] as number)])),
    minutes: flow,
  };
}
