/** How many points each cluster takes. */
export interface SizeBounds {
  /** At least, 0 or more. */
  min: number;
  /** At most. */
  max: number;
}

/** Clusters of all points, at the least total cost. */
export interface BoundedAssignment {
  /** (N). */
  labels: Uint32Array<ArrayBuffer>;
  /**
   * (K): a price for a place in each cluster, below 0 for a subsidy, that makes every point content with its own:
   * costs[i, k] + prices[k] is least at k = labels[i]. Clusters dearer than 0 are full, those below hold the minimum.
   */
  prices: Float64Array<ArrayBuffer>;
}

/**
 * Assigns N points to K clusters, each between `min` and `max` points, so that the sum of costs is least: exactly, up
 * to rounding, since every move keeps the prices optimal.
 *
 * Minimum-cost flow by successive shortest paths with potentials (Ahuja, Magnanti and Orlin, Network Flows, 1993,
 * section 9.7), on the graph of clusters instead of points (the small side of an unbalanced bipartite network, as Ahuja,
 * Orlin, Stein and Tarjan 1994): an arc a -> b moves the point of a that loses least by it, and one more node lets a
 * cluster give or take within its bounds. So a path takes O(K²), and as many are found as points are misplaced when
 * each takes the cluster it likes best. Prices of a similar problem, such as the iteration before, save most of them.
 *
 * costs (N, K), row after row.
 */
export function assignWithinBounds(
  costs: Float32Array | Float64Array,
  clusters: number,
  { min, max }: SizeBounds,
  startPrices: Float64Array = new Float64Array(clusters),
): BoundedAssignment {
  const points = costs.length / clusters;
  if (!Number.isInteger(points) || clusters * min > points || clusters * max < points) {
    throw new RangeError(
      `assignWithinBounds() of ${costs.length} costs to ${clusters} clusters of ${min} to ${max}: expected whole rows, ` +
        `${clusters * min} to ${clusters * max} of them`,
    );
  }
  const labels = cheapest(costs, clusters, startPrices);
  const moves = new Moves(costs, clusters, labels);
  const pool = clusters; // the node through which clusters give and take within their bounds
  const nodes = clusters + 1;
  // Reduced cost of a -> b is w(a, b) + potential[a] - potential[b] >= 0; potentials are prices times -1.
  const potential = new Float64Array(nodes);
  const places = new Int32Array(clusters);
  const excess = new Int32Array(nodes); // points, or places of the pool, too many
  for (const label of labels) excess[label]++;
  for (let k = 0; k < clusters; k++) {
    potential[k] = -startPrices[k];
    const content = Math.min(max, Math.max(min, excess[k]));
    places[k] = startPrices[k] > 0 ? max : startPrices[k] < 0 ? min : content;
    excess[k] -= places[k];
    excess[pool] += places[k];
  }
  excess[pool] -= points;

  const { cost } = moves;
  const distance = new Float64Array(nodes);
  const parent = new Int32Array(nodes);
  const done = new Uint8Array(nodes);
  for (;;) {
    let near = -1;
    done.fill(0);
    parent.fill(-1);
    for (let v = 0; v < nodes; v++) {
      distance[v] = excess[v] > 0 ? 0 : Infinity;
      if (near < 0 && excess[v] > 0) near = v;
    }
    if (near < 0) break;
    while (excess[near] >= 0) { // Dijkstra, from all sources at once, to the nearest node that lacks something
      done[near] = 1;
      const from = near;
      const fromDistance = distance[from];
      const fromPotential = potential[from];
      near = -1;
      let least = Infinity;
      for (let v = 0; v < nodes; v++) {
        if (done[v] === 1) continue;
        const length = from === pool
          ? places[v] > min ? 0 : Infinity
          : v < pool
          ? cost[from * clusters + v]
          : places[from] < max
          ? 0
          : Infinity;
        // Rounding can make a reduced cost slightly negative.
        const reduced = length + fromPotential - potential[v];
        const reach = fromDistance + (reduced > 0 ? reduced : 0);
        if (reach < distance[v]) {
          distance[v] = reach;
          parent[v] = from;
        }
        if (near < 0 || distance[v] < least) {
          near = v;
          least = distance[v];
        }
      }
    }
    const target = near;
    done[target] = 1;
    const reached = distance[target];
    for (let v = 0; v < nodes; v++) if (done[v] === 1) potential[v] -= reached - distance[v];
    excess[target]++;
    let to = target;
    for (let from = parent[to]; from >= 0; to = from, from = parent[to]) {
      if (from === pool) places[to]--;
      else if (to === pool) places[from]++;
      else moves.make(from, to);
    }
    excess[to]--;
  }
  return {
    labels,
    prices: Float64Array.from({ length: clusters }, (_, k) => potential[pool] - potential[k]),
  };
}

/** Cluster of the least cost + price of each point, of equal ones the first. */
function cheapest(costs: Float32Array | Float64Array, clusters: number, prices: Float64Array) {
  const labels = new Uint32Array(costs.length / clusters);
  for (let i = 0; i < labels.length; i++) {
    let least = Infinity;
    for (let k = 0; k < clusters; k++) {
      const paid = costs[i * clusters + k] + prices[k];
      if (paid < least) {
        least = paid;
        labels[i] = k;
      }
    }
  }
  return labels;
}

const NONE = -1;

/** For each pair of clusters the cheapest move of a point from one to the other; kept as points move. */
class Moves {
  /** (K, K): what the move adds to the total cost, infinite from an empty cluster. */
  readonly cost: Float64Array;
  readonly #point: Int32Array; // (K, K): the point that moves
  readonly #head: Int32Array; // (K), #next and #previous (N): members of the clusters as linked lists
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #costs: Float32Array | Float64Array;
  readonly #labels: Uint32Array;
  readonly #clusters: number;
  readonly #stale: Int32Array;

  constructor(costs: Float32Array | Float64Array, clusters: number, labels: Uint32Array) {
    this.#costs = costs;
    this.#clusters = clusters;
    this.#labels = labels;
    this.cost = new Float64Array(clusters * clusters).fill(Infinity);
    this.#point = new Int32Array(clusters * clusters).fill(NONE);
    this.#head = new Int32Array(clusters).fill(NONE);
    this.#next = new Int32Array(labels.length);
    this.#previous = new Int32Array(labels.length);
    this.#stale = new Int32Array(clusters);
    for (let i = 0; i < labels.length; i++) this.#join(i, labels[i]);
  }

  /** Makes the cheapest move. */
  make(from: number, to: number): void {
    const point = this.#point[from * this.#clusters + to];
    this.#leave(point, from);
    this.#labels[point] = to;
    this.#join(point, to);
  }

  #join(point: number, cluster: number): void {
    const head = this.#head[cluster];
    this.#next[point] = head;
    this.#previous[point] = NONE;
    if (head !== NONE) this.#previous[head] = point;
    this.#head[cluster] = point;
    const own = this.#costs[point * this.#clusters + cluster];
    for (let to = 0; to < this.#clusters; to++) this.#offer(point, cluster, to, own);
  }

  #leave(point: number, cluster: number): void {
    const next = this.#next[point];
    const previous = this.#previous[point];
    if (previous === NONE) this.#head[cluster] = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
    let stale = 0;
    for (let to = 0; to < this.#clusters; to++) {
      const at = cluster * this.#clusters + to;
      if (this.#point[at] !== point) continue;
      this.#stale[stale++] = to;
      this.#point[at] = NONE;
      this.cost[at] = Infinity;
    }
    for (let other = this.#head[cluster]; other !== NONE; other = this.#next[other]) {
      const own = this.#costs[other * this.#clusters + cluster];
      for (let s = 0; s < stale; s++) this.#offer(other, cluster, this.#stale[s], own);
    }
  }

  #offer(point: number, from: number, to: number, own: number): void {
    const at = from * this.#clusters + to;
    const cost = this.#costs[point * this.#clusters + to] - own;
    if (cost < this.cost[at]) {
      this.cost[at] = cost;
      this.#point[at] = point;
    }
  }
}
