import type { RlExample } from "../../data/packing/rl_examples.ts";
import { UserError } from "../../base/user_error.ts";
import type { Sample } from "../../data/dataset.ts";
import { popularityScorer } from "../../eval/count_scorers.ts";
import { BeamSearch } from "../../decode/beam_search.ts";
import { ConstrainedSampler } from "../../decode/constrained_sampler.ts";
import type { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { TokenNormalisation } from "../../kernels/trie/log_softmax.ts";
import type { DecodeModel } from "../../models/decoder/decode.ts";
import type { Completion } from "./rewards/reward.ts";
import { drawsForGroup, dynamicSample } from "./dynamic_sampling.ts";
import type { RlConfig } from "./config.ts";

/** An answer with its place in the trie. */
export interface Answer extends Completion {
  /** Leaf of the trie. */
  leaf: number;
  /** u32 (D): node before each token. */
  nodes: Uint32Array;
}

/** Answers to one prompt. */
export interface AnswerGroup {
  example: RlExample;
  /** G answers. */
  completions: Answer[];
  /** Whether they are in the order of the model's scores. */
  ranked: boolean;
}

/** What rollouts read of the settings. */
export type RolloutConfig = Pick<
  RlConfig,
  | "rollout"
  | "numGenerations"
  | "temperature"
  | "topK"
  | "topP"
  | "replacement"
  | "addTarget"
  | "dynamicSampling"
  | "seed"
>;

interface Written {
  leaves: number[];
  scores: number[];
}

/** Makes groups of answers, all of them SIDs of the catalogue; prompts are computed once whatever the group size. */
export class Rollout {
  #config: RolloutConfig;
  #trie: DeviceTrie;
  #itemTokens: readonly Uint32Array[];
  #search: BeamSearch | ConstrainedSampler;
  #write: (prompts: Uint32Array[], step: number, first: number) => Promise<Written[]>;
  #answers = new Map<number, Omit<Answer, "logProb">>();
  /** Place of each item by popularity. */
  #places: Uint32Array;

  /**
   * `train` tells which of the items that share a SID is listed first. `normalisation` is that of beam scores.
   * @throws {UserError} for a group that is larger than the catalogue, where answers are all different.
   */
  constructor(
    device: Device,
    model: DecodeModel,
    trie: DeviceTrie,
    itemTokens: readonly Uint32Array[],
    train: readonly Sample[],
    normalisation: TokenNormalisation,
    config: RolloutConfig,
  ) {
    const { rollout, numGenerations, dynamicSampling, replacement, temperature, topK, topP, seed } = config;
    this.#config = config;
    this.#trie = trie;
    this.#itemTokens = itemTokens;
    const { leafCount } = trie.host;
    if ((rollout === "beam" || !replacement) && numGenerations > leafCount) {
      throw new UserError(
        `Cannot make groups of ${numGenerations} different answers: the catalogue has ${leafCount} SIDs. ` +
          `Use --num-generations ${leafCount} or fewer, or --rollout sample`,
      );
    }
    if (rollout === "beam") {
      const search = new BeamSearch(device, model, trie, { beams: numGenerations, normalisation });
      this.#search = search;
      this.#write = (prompts) => search.run(prompts);
    } else {
      const samples = dynamicSampling ? drawsForGroup(numGenerations) : numGenerations;
      const sampler = new ConstrainedSampler(device, model, trie, {
        samples,
        temperature,
        topK,
        topP,
        replacement,
      });
      this.#search = sampler;
      this.#write = (prompts, step, firstPrompt) => sampler.run(prompts, { seed, step, firstPrompt });
    }
    this.#places = new Uint32Array(itemTokens.length);
    popularityScorer(train, itemTokens.length).rank([], itemTokens.length).items
      .forEach((item, place) => this.#places[item] = place);
  }

  /** A group for each example of step `step`. */
  async run(examples: readonly RlExample[], step: number): Promise<AnswerGroup[]> {
    const { numGenerations, dynamicSampling, addTarget, rollout } = this.#config;
    const groups: AnswerGroup[] = [];
    for (let start = 0; start < examples.length; start += this.#search.promptsPerBatch) {
      const batch = examples.slice(start, start + this.#search.promptsPerBatch);
      const written = await this.#write(batch.map(({ prompt }) => prompt), step, start);
      batch.forEach((example, i) => {
        const { leaves, scores } = written[i];
        const targets = example.targets.map((item) => this.leafOf(item));
        const scoreOf = new Map(leaves.map((leaf, place) => [leaf, scores[place]]));
        const kept = dynamicSampling ? dynamicSample(leaves, targets, numGenerations) : [...leaves];
        if (addTarget && !kept.some((leaf) => targets.includes(leaf))) kept[kept.length - 1] = targets[0];
        groups.push({
          example,
          // A target that was added was not written, so it ranks last.
          completions: kept.map((leaf) => ({
            ...this.answer(leaf),
            logProb: scoreOf.get(leaf) ?? -Infinity,
          })),
          ranked: rollout === "beam",
        });
      });
    }
    return groups;
  }

  /** Leaf of an item's SID. */
  leafOf(item: number): number {
    return this.#trie.host.walk(this.#itemTokens[item])!;
  }

  /** What there is to know of a leaf. */
  answer(leaf: number): Omit<Answer, "logProb"> {
    let answer = this.#answers.get(leaf);
    if (answer) return answer;
    const { host } = this.#trie;
    const items = [...host.itemsOf(leaf)].sort((a, b) => this.#places[a] - this.#places[b]);
    const tokens = this.#itemTokens[items[0]];
    const nodes = new Uint32Array(tokens.length);
    for (let i = 1; i < tokens.length; i++) {
      nodes[i] = host.walk(tokens.subarray(i - 1, i), nodes[i - 1])!;
    }
    this.#answers.set(leaf, answer = { leaf, items, tokens, nodes });
    return answer;
  }

  /** Gives the memory of the search back. */
  destroy(): void {
    this.#search.destroy();
  }
}
