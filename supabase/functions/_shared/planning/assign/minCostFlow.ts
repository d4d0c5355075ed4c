/** Edges out of each node in two rows: an edge and, one place on, its way back. */
export class FlowNetwork {
  readonly #to: number[] = [];
  readonly #capacity: number[] = [];
  readonly #cost: number[] = [];
  readonly #out: number[][];

  constructor(nodes: number) {
    this.#out = Array.from({ length: nodes }, () => []);
  }

  /** The number by which `flowOn` knows the edge. */
  addEdge(from: number, to: number, capacity: number, cost: number): number {
    const edge = this.#to.length;
    this.#to.push(to, from);
    this.#capacity.push(capacity, 0);
    this.#cost.push(cost, -cost);
    this.#out[from]?.push(edge);
    this.#out[to]?.push(edge + 1);
    return edge;
  }

  flowOn(edge: number): number {
    return this.#capacity[edge + 1] ?? 0;
  }

  /**
   * As much as possible, as cheaply as possible: successive shortest paths (Ahuja, Magnanti and Orlin, Network Flows,
   * 9.7), found by Bellman-Ford with a queue because the ways back cost less than nothing. Costs must hold no negative
   * cycle.
   */
  sendAll(source: number, sink: number): { flow: number; cost: number } {
    let flow = 0;
    let cost = 0;
    for (;;) {
      const path = this.#shortestPath(source, sink);
      if (path === null) return { flow, cost };
      const amount = Math.min(...path.map((edge) => this.#capacity[edge] as number));
      for (const edge of path) {
        this.#capacity[edge] = (this.#capacity[edge] as number) - amount;
        this.#capacity[edge ^ 1] = (this.#capacity[edge ^ 1] as number) + amount;
        cost += amount * (this.#cost[edge] as number);
      }
      flow += amount;
    }
  }

  #shortestPath(source: number, sink: number): number[] | null {
    const distance = new Array<number>(this.#out.length).fill(Number.POSITIVE_INFINITY);
    const cameBy = new Array<number>(this.#out.length).fill(-1);
    const waiting = [source];
    const queued = new Set([source]);
    distance[source] = 0;
    for (let next = 0; next < waiting.length; next++) {
      const node = waiting[next] as number;
      queued.delete(node);
      for (const edge of this.#out[node] ?? []) {
        const target = this.#to[edge] as number;
        const there = (distance[node] as number) + (this.#cost[edge] as number);
        if ((this.#capacity[edge] as number) <= 0 || there >= (distance[target] as number)) continue;
        distance[target] = there;
        cameBy[target] = edge;
        if (!queued.has(target)) waiting.push(target);
        queued.add(target);
      }
    }
    return distance[sink] === Number.POSITIVE_INFINITY ? null : this.#pathTo(sink, source, cameBy);
  }

  #pathTo(sink: number, source: number, cameBy: readonly number[]): number[] {
    const path: number[] = [];
    for (let node = sink; node !== source; node = this.#to[(path.at(-1) as number) ^ 1] as number)
      path.push(cameBy[node] as number);
    return path;
  }
}
