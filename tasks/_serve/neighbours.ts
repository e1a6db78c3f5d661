import type { Recommender } from "../../eval/recommender.ts";

/** What items are near by. */
export const NEARNESS = ["item vectors", "SID", "bought together"] as const;

/** Items near another one. */
export interface Neighbours {
  /** Cosine of the model's item vectors, levels of the SID that are the same, or histories that hold both. */
  by: typeof NEARNESS[number];
  /** Nearest first, without the item itself. */
  items: { item: number; score: number }[];
}

/** Finds what is near an item: by what a model knows of it, or else by who bought it. */
export class NeighbourIndex {
  readonly #recommender: Recommender;
  readonly #vectors: { dim: number; data: Float32Array } | undefined;
  /** Users by item, made when they are first asked for. */
  #buyers: ReadonlyMap<number, readonly number[]> | undefined;

  /** `vectors` are those of the recommender's items (N, dim), if it has any. */
  constructor(recommender: Recommender, vectors: { dim: number; data: Float32Array } | undefined) {
    this.#recommender = recommender;
    this.#vectors = vectors;
  }

  /** The nearest `count` items. */
  of(item: number, count: number): Neighbours {
    const { sids } = this.#recommender.catalogue;
    const [by, scores] = this.#vectors
      ? ["item vectors" as const, cosines(this.#vectors, item)]
      : sids
      ? ["SID" as const, new Map(sids.map((sid, other) => [other, sharedLevels(sids[item], sid)]))]
      : ["bought together" as const, this.#together(item)];
    scores.delete(item);
    const items = [...scores].filter(([, score]) => by === "item vectors" || score > 0)
      .sort(([a, x], [b, y]) => y - x || a - b).slice(0, count)
      .map(([item, score]) => ({ item, score }));
    return { by, items };
  }

  #together(item: number): Map<number, number> {
    const { histories } = this.#recommender.dataset;
    if (this.#buyers === undefined) {
      const buyers = new Map<number, number[]>();
      for (const [user, { items }] of histories.entries()) {
        for (const item of new Set(items)) {
          const users = buyers.get(item);
          if (users) users.push(user);
          else buyers.set(item, [user]);
        }
      }
      this.#buyers = buyers;
    }
    const scores = new Map<number, number>();
    for (const user of this.#buyers.get(item) ?? []) {
      for (const other of new Set(histories[user].items)) scores.set(other, (scores.get(other) ?? 0) + 1);
    }
    return scores;
  }
}

function cosines({ dim, data }: { dim: number; data: Float32Array }, item: number): Map<number, number> {
  const vector = (row: number) => data.subarray(row * dim, row * dim + dim);
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const mine = vector(item), length = Math.sqrt(dot(mine, mine));
  return new Map(Array.from({ length: data.length / dim }, (_, other) => {
    const its = vector(other), scale = length * Math.sqrt(dot(its, its));
    return [other, scale === 0 ? 0 : dot(mine, its) / scale];
  }));
}

/** Codewords that two SIDs have in common from the first on. */
function sharedLevels(a: readonly string[], b: readonly string[]): number {
  const differs = a.findIndex((code, level) => code !== b[level]);
  return differs < 0 ? a.length : differs;
}
