import type { Dataset, Sample } from "../data/dataset.ts";
import { shuffledOrder } from "../data/shuffle.ts";
import { UserError } from "../data/user_error.ts";
import { BeamSearch } from "../eval/beam_search.ts";
import { DeviceTrie } from "../eval/device_trie.ts";
import { hitsAtK, mean, ndcgAtK, type Rank } from "../eval/metrics.ts";
import type { Device } from "../kernels/device.ts";
import type { Decoder } from "../models/decoder.ts";
import { historyPrompt } from "../sid/prompt.ts";
import { buildTrie } from "../sid/trie.ts";

/** Ranking quality on the valid subsample; a hit is the target's SID among the beams. */
export interface ValidationResult {
  /** HR@10: share of samples with the target among the first 10 beams. */
  hr10: number;
  /** NDCG@10: mean of 1 / log2(rank + 2), rank from 0, where that is below 10. */
  ndcg10: number;
}

/** What to validate on, and how. */
export interface ValidationOptions {
  device: Device;
  dataset: Dataset;
  bos: number;
  maxHistory: number;
  /** Samples of the valid split to use, drawn once with `seed`. */
  samples: number;
  beams: number;
  seed: number;
}

/** HR@10 and NDCG@10 on a fixed subsample of the valid split. */
export class Validation {
  #options: ValidationOptions;
  #itemTokens: readonly Uint32Array[];
  #trie: DeviceTrie;
  #samples: Sample[];

  constructor(options: ValidationOptions, itemTokens: readonly Uint32Array[]) {
    const { valid } = options.dataset.samples;
    if (valid.length === 0) {
      throw new UserError(
        `Cannot validate on ${options.dataset.name}: its valid split is empty. Use --eval-samples 0`,
      );
    }
    this.#options = options;
    this.#itemTokens = itemTokens;
    this.#trie = new DeviceTrie(options.device, buildTrie(itemTokens));
    const order = shuffledOrder(valid.length, options.seed, 0).subarray(0, options.samples);
    this.#samples = Array.from(order, (i) => valid[i]);
  }

  /** Undefined where `signal` cut it short. */
  async run(decoder: Decoder, signal: AbortSignal): Promise<ValidationResult | undefined> {
    const { device, bos, maxHistory, beams } = this.#options;
    const search = new BeamSearch(device, decoder, this.#trie, { beams, normalisation: "vocab" });
    const ranks: Rank[] = [];
    for (let start = 0; start < this.#samples.length; start += search.promptsPerBatch) {
      if (signal.aborted) break;
      const batch = this.#samples.slice(start, start + search.promptsPerBatch);
      const prompts = batch.map(({ history }) => historyPrompt(bos, this.#itemTokens, history, maxHistory));
      const results = await search.run(prompts);
      results.forEach(({ leaves }, i) => {
        const rank = leaves.indexOf(this.#trie.host.walk(this.#itemTokens[batch[i].target])!);
        ranks.push(rank < 0 ? null : rank);
      });
    }
    search.destroy();
    if (ranks.length < this.#samples.length) return undefined;
    return { hr10: mean(hitsAtK(ranks, 10)), ndcg10: mean(ndcgAtK(ranks, 10)) };
  }
}
