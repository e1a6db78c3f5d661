import { packSequences } from "../../data/packing/batches.ts";
import type { Sample } from "../../data/dataset.ts";
import { completionSequence } from "../../data/packing/sequences.ts";
import { type DealtPart, gatherParts } from "../../base/parallel/gather_parts.ts";
import { ALONE, gatherJson, type World } from "../../base/parallel/world.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import { UserError } from "../../base/user_error.ts";
import { BeamSearch } from "../../decode/beam_search.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import { credited, hitsAtK, mean, ndcgAtK, type Rank } from "../../eval/metrics.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { sumFlat } from "../../kernels/reduce/sum.ts";
import { Tape } from "../../kernels/tape.ts";
import type { TokenNormalisation } from "../../kernels/trie/log_softmax.ts";
import type { DecodeModel } from "../../models/decoder/decode.ts";
import type { Decoder } from "../../models/decoder/decoder.ts";
import { PackedTokensBuffer } from "../../models/packing/packed_tokens.ts";
import type { NextItemPrompts } from "../../prompts/next_item.ts";
import { buildTrie } from "../../sid/trie.ts";

/** Quality on the valid subsample; a hit is the target's SID among the beams, and counts 1 / items that share it. */
export interface ValidationResult {
  /** HR@10: share of samples with the target among the first 10 beams. */
  hr10: number;
  /** NDCG@10: mean of 1 / log2(rank + 2), rank from 0, where that is below 10. */
  ndcg10: number;
  /** Mean cross-entropy of the targets' tokens, in nats. */
  loss: number;
}

/** What to validate on, and how. */
export interface ValidationOptions {
  /** Device of the model. */
  device: Device;
  /** Name of the dataset, for messages. */
  dataset: string;
  /** Valid split. */
  valid: readonly Sample[];
  /** How the model is asked. */
  prompts: NextItemPrompts;
  /** Samples to use, drawn once with `seed`. */
  samples: number;
  /** SIDs kept a sample. */
  beams: number;
  /** What a token's probability is normalised over. */
  normalisation: TokenNormalisation;
  /** Packed tokens of a batch in which the loss is computed. */
  tokensPerBatch: number;
  /** Seed of the subsample. */
  seed: number;
  /** Ranks that share the work, with equal models. Default: this one alone. */
  world?: World;
}

/** What the settings of a training say of its validations. */
export function validationSettings(
  { evalSamples, evalBeams, tokensPerBatch, seed }: {
    evalSamples: number;
    evalBeams: number;
    tokensPerBatch: number;
    seed: number;
  },
): Pick<ValidationOptions, "samples" | "beams" | "tokensPerBatch" | "seed"> {
  return { samples: evalSamples, beams: evalBeams, tokensPerBatch, seed };
}

/** HR@10, NDCG@10 and loss on a fixed subsample of the valid split. */
export class Validation {
  #options: ValidationOptions;
  #trie: DeviceTrie;
  #samples: Sample[];
  #world: World;
  /** Items that have the SID of each sample's target. */
  readonly sharing: Float64Array;
  /** What the model reads for each sample. */
  #prompts: Uint32Array[];

  /** Draws the subsample. Throws {@link UserError} if the valid split is empty. */
  constructor(options: ValidationOptions) {
    const { valid, prompts } = options;
    if (valid.length === 0) {
      throw new UserError(
        `Cannot validate on ${options.dataset}: its valid split is empty. Use --eval-samples 0`,
      );
    }
    this.#options = options;
    this.#world = options.world ?? ALONE;
    this.#trie = new DeviceTrie(options.device, buildTrie(prompts.itemTokens));
    const order = shuffledOrder(valid.length, options.seed, 0).subarray(0, options.samples);
    this.#samples = Array.from(order, (i) => valid[i]);
    const { host } = this.#trie;
    this.sharing = Float64Array.from(this.#samples, ({ target }) => {
      const leaf = host.walk(prompts.itemTokens[target])!;
      return host.itemOffsets[leaf + 1] - host.itemOffsets[leaf];
    });
    this.#prompts = this.#samples.map((sample) => prompts.prompt(sample.history, sample));
  }

  /** Undefined where `signal` cut it short. */
  async run(decoder: Decoder, signal: AbortSignal): Promise<ValidationResult | undefined> {
    const quality = await this.quality(decoder, signal);
    return quality && { ...quality, loss: await this.#loss(decoder) };
  }

  /** HR@10 and NDCG@10 of any model that decodes. Undefined where `signal` cut it short. */
  async quality(
    model: DecodeModel,
    signal: AbortSignal,
  ): Promise<Omit<ValidationResult, "loss"> | undefined> {
    const ranks = await this.ranks(model, signal);
    return ranks && this.qualityOf(ranks);
  }

  /** HR@10 and NDCG@10 of places of the samples' targets. */
  qualityOf(ranks: readonly Rank[]): Omit<ValidationResult, "loss"> {
    const credit = (values: Float64Array) => mean(credited(values, this.sharing));
    return { hr10: credit(hitsAtK(ranks, 10)), ndcg10: credit(ndcgAtK(ranks, 10)) };
  }

  /** Place of each sample's target among the beams, from 0. Undefined where `signal` cut it short. */
  async ranks(model: DecodeModel, signal: AbortSignal): Promise<Rank[] | undefined> {
    const { device, prompts, beams, normalisation } = this.#options;
    device.trim(); // matrices of steps, which would stay beside those of the search
    const search = new BeamSearch(device, model, this.#trie, { beams, normalisation });
    const { rank: own, size } = this.#world;
    const found: DealtPart<Rank>[] = [];
    const step = search.promptsPerBatch;
    // Whole batches are dealt: what is found in one may depend on its shape.
    for (let start = own * step; start < this.#samples.length; start += size * step) {
      if (signal.aborted) break;
      const batch = this.#samples.slice(start, start + search.promptsPerBatch);
      const results = await search.run(this.#prompts.slice(start, start + search.promptsPerBatch));
      const places = results.map(({ leaves }, i) => {
        const rank = leaves.indexOf(this.#trie.host.walk(prompts.itemTokens[batch[i].target])!);
        return rank < 0 ? null : rank;
      });
      found.push({ first: start, results: places });
    }
    search.destroy();
    device.trim();
    const ranks = await gatherParts(this.#world, found);
    return ranks.length < this.#samples.length ? undefined : ranks;
  }

  /** Frees the trie. */
  destroy(): void {
    this.#trie.destroy();
  }

  /** Mean cross-entropy of the targets' tokens, a prompt and its target a sequence. */
  async #loss(decoder: Decoder): Promise<number> {
    const { device, prompts, tokensPerBatch } = this.#options;
    const sequences = this.#samples.map(({ target }, i) =>
      completionSequence(this.#prompts[i], prompts.itemTokens[target])
    );
    const targets = sequences.reduce((sum, sequence) => sum + sequence.targets.length, 0);
    const longest = sequences.reduce((most, { tokens }) => Math.max(most, tokens.length), 0);
    const capacity = { tokens: Math.max(tokensPerBatch, longest), rows: tokensPerBatch };
    const buffer = new PackedTokensBuffer(device, capacity);
    const rowLoss = device.createFlat("f32", capacity.rows);
    const stats = device.createFlat("f32", 4 * capacity.rows);
    const batches = packSequences(sequences, capacity);
    const losses = device.createFlat("f32", batches.length);
    const { rank, size } = this.#world;
    batches.forEach((batch, i) => {
      if (i % size !== rank) return;
      buffer.write(batch, 1 / targets);
      device.scope(() => {
        const { targets, weights } = buffer.packed;
        decoder.loss(new Tape(device, false), buffer.packed, { targets, weights, stats, rowLoss }, {
          labelSmoothing: 0,
        });
      });
      sumFlat(device, rowLoss, rowLoss.length, losses, i);
    });
    const [own] = await device.read(losses);
    const found = await gatherJson(this.#world, [...own]);
    const sums = own.map((_, i) => found[i % size][i]);
    buffer.destroy();
    for (const flat of [rowLoss, stats, losses]) device.destroy(flat);
    return sums.reduce((a, b) => a + b, 0);
  }
}
