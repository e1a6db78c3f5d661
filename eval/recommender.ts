import type { Sample } from "../data/dataset.ts";
import type { Trie } from "../sid/trie.ts";
import type { Scorer } from "./count_scorers.ts";
import type { BeamSearch } from "../decode/beam_search.ts";

/** Predictions for one user, best first. */
export interface Ranked {
  /** What is compared with the target: SIDs as joined token strings, or item numbers where items are ranked. */
  sids: string[];
  /** As long as `sids`, descending. */
  scores: number[];
}

/** Ranks SIDs for a batch of samples; looks at their histories only. */
export type Recommender = (samples: readonly Sample[]) => Promise<Ranked[]>;

/** (nodes): the SID of the items at each leaf, "" for inner nodes. `sids` has one string an item. */
export function leafSids(trie: Trie, sids: readonly string[]): string[] {
  return Array.from(
    { length: trie.nodeCount },
    (_, node) => trie.isLeaf(node) ? sids[trie.itemsOf(node)[0]] : "",
  );
}

/** Beam search as a recommender. `promptOf` makes the token ids of a sample, `sids` names leaves ({@link leafSids}). */
export function beamRecommender(
  search: BeamSearch,
  promptOf: (sample: Sample) => Uint32Array,
  sids: readonly string[],
): Recommender {
  return async (samples) => {
    const ranked: Ranked[] = [];
    for (let start = 0; start < samples.length; start += search.promptsPerBatch) {
      const batch = samples.slice(start, start + search.promptsPerBatch);
      for (const { leaves, scores } of await search.run(batch.map(promptOf))) {
        ranked.push({ sids: leaves.map((leaf) => sids[leaf]), scores });
      }
    }
    return ranked;
  };
}

/** The best `k` items of a baseline by the SIDs of items (N); scores of items that share a SID are added up. */
export function scorerRecommender(scorer: Scorer, sids: readonly string[], k: number): Recommender {
  return (samples) =>
    Promise.resolve(samples.map(({ history }) => {
      const { items, scores } = scorer.rank(history, k);
      const totals = new Map<string, number>();
      items.forEach((item, i) => totals.set(sids[item], (totals.get(sids[item]) ?? 0) + scores[i]));
      // Stable: items without a score keep the scorer's order.
      const sorted = [...totals].sort(([, a], [, b]) => b - a);
      return { sids: sorted.map(([sid]) => sid), scores: sorted.map(([, score]) => score) };
    }));
}
