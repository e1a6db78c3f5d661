/** How recommendations spread over the catalogue. */
export interface Exposure {
  /** Share of the catalogue that was recommended to anybody, keyed by cut-off. */
  coverage: Record<string, number>;
  /** {@link exposureGini} of how often each item of the catalogue was recommended, keyed by cut-off. */
  gini: Record<string, number>;
}

/** Counts what the first K items of each list are, for several K. Memory: 4 bytes an item and cut-off. */
export class ExposureCounter {
  #counts: Map<number, Uint32Array>;
  #itemCount: number;

  /** For a catalogue of `itemCount` items and the cut-offs `ks`. */
  constructor(itemCount: number, ks: readonly number[]) {
    this.#itemCount = itemCount;
    this.#counts = new Map(ks.map((k) => [k, new Uint32Array(itemCount)]));
  }

  /** Adds a list of item numbers, best first. */
  add(items: readonly number[]): void {
    for (const [k, counts] of this.#counts) {
      for (let i = 0; i < Math.min(k, items.length); i++) counts[items[i]]++;
    }
  }

  /** Coverage and Gini of the lists so far. */
  exposure(): Exposure {
    const exposure: Exposure = { coverage: {}, gini: {} };
    for (const [k, counts] of this.#counts) {
      exposure.coverage[k] = counts.reduce((sum, count) => sum + Math.min(1, count), 0) / this.#itemCount;
      exposure.gini[k] = exposureGini(counts);
    }
    return exposure;
  }
}

/**
 * Gini coefficient of counts (N): sum over i = 1..N of (2i - N - 1) c_i / (N sum c), counts ascending. 0: all items
 * alike; (N - 1) / N: one item alone; 0 where nothing was counted. Source: Fleder and Hosanagar, "Blockbuster culture's
 * next rise or fall", Management Science 2009; the formula of the ETEGRec fork for codewords, here over items.
 */
export function exposureGini(counts: Uint32Array): number {
  const n = counts.length;
  let weighted = 0;
  let total = 0;
  counts.toSorted().forEach((count, i) => {
    weighted += (2 * (i + 1) - n - 1) * count;
    total += count;
  });
  return total === 0 ? 0 : weighted / (n * total);
}
