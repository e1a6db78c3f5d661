import type { RlExample } from "../../data/packing/rl_examples.ts";
import { UserError } from "../../base/user_error.ts";
import type { Sample } from "../../data/dataset.ts";
import { popularityScorer } from "../../eval/count_scorers.ts";
import { BeamSearch } from "../../decode/beam_search.ts";
import { ConstrainedSampler } from "../../decode/constrained_sampler.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { TokenNormalisation } from "../../kernels/trie/log_softmax.ts";
import type { DecodeModel } from "../../models/decoder/decode.ts";
import type { Completion } from "./rewards/reward.ts";
import type { AnswerKind, AnswerTries } from "./answer_tries.ts";
import { drawsForGroup, dynamicSample } from "./dynamic_sampling.ts";
import type { RlConfig } from "./config.ts";

/** An answer with its place in the tries. */
export interface Answer extends Completion {
  /** Leaf of the trie of its kind. */
  leaf: number;
  /** u32 (D): node of the trie of all answers before each token. */
  nodes: Uint32Array;
}

/** An answer of a group. */
export interface GroupAnswer extends Answer {
  /** First tokens that the model did not choose: they are those of the target. */
  given: number;
}

/** Answers to one prompt. */
export interface AnswerGroup {
  example: RlExample;
  /** G answers. */
  completions: GroupAnswer[];
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
  | "guidedAnswers"
  | "guidedTokens"
  | "seed"
>;

/** Answers to one prompt, as leaves of their trie. */
export interface Written {
  leaves: number[];
  scores: number[];
}

/** Answers of one kind, and what writes them. */
interface Writer {
  kind: AnswerKind;
  search: BeamSearch | ConstrainedSampler;
  write(examples: readonly RlExample[], step: number, first: number): Promise<Written[]>;
  /** What is known of its leaves. */
  answers: Map<number, Omit<Answer, "logProb">>;
}

/** Makes groups of answers, all of them in the tries; prompts are computed once whatever the group size. */
export class Rollout {
  #config: RolloutConfig;
  #tries: AnswerTries;
  #writers: readonly Writer[];
  /** Place of each item by popularity. */
  #places: Uint32Array;

  /**
   * `train` tells which of the items that share an answer is listed first. `normalisation` is that of beam scores. `tries`
   * stay the caller's.
   * @throws {UserError} for a group that is larger than there are answers, where all are to be different.
   */
  constructor(
    device: Device,
    model: DecodeModel,
    tries: AnswerTries,
    train: readonly Sample[],
    normalisation: TokenNormalisation,
    config: RolloutConfig,
  ) {
    this.#config = config;
    this.#tries = tries;
    for (const kind of tries.kinds) checkGroupSize(kind, kind === tries.kinds[0] ? "SIDs" : "texts", config);
    this.#writers = tries.kinds.map((kind) => ({
      kind,
      ...writerOf(device, model, kind, normalisation, config),
      answers: new Map(),
    }));
    const items = tries.kinds[0].itemTokens.length;
    this.#places = new Uint32Array(items);
    popularityScorer(train, items).rank([], items).items
      .forEach((item, place) => this.#places[item] = place);
  }

  /** A group for each example of step `step`. */
  async run(examples: readonly RlExample[], step: number): Promise<AnswerGroup[]> {
    const written = await this.write(examples, step);
    return examples.map((example, i) => this.group(example, written.get(i)!));
  }

  /**
   * What the model writes for the examples of step `step`, by their numbers: for all of them, or for a `share` of the
   * places of {@link #order}, where it writes what it does for all.
   */
  async write(
    examples: readonly RlExample[],
    step: number,
    { first, end }: { first: number; end: number } = { first: 0, end: examples.length },
  ): Promise<Map<number, Written>> {
    const found = new Map<number, Written>();
    const order = this.#order(examples);
    for (let start = first; start < end;) {
      const { search, write } = this.#writerFor(examples[order[start]]);
      const batch = order.slice(start, Math.min(end, start + search.promptsPerBatch));
      const other = batch.findIndex((i) => this.#writerFor(examples[i]).search !== search);
      if (other > 0) batch.length = other;
      const written = await write(batch.map((i) => examples[i]), step, start);
      batch.forEach((i, b) => found.set(i, written[b]));
      start += batch.length;
    }
    return found;
  }

  /** The answer that means an item. */
  answerFor(example: RlExample, item: number): Omit<Answer, "logProb"> {
    const { kind } = this.#writerFor(example);
    return this.#answer(example, kind.trie.host.walk(kind.itemTokens[item])!);
  }

  /** Gives the memory of the searches back. */
  destroy(): void {
    for (const { search } of this.#writers) search.destroy();
  }

  /** The group of what was written for an example. */
  group(example: RlExample, { leaves, scores }: Written): AnswerGroup {
    const { numGenerations, dynamicSampling, addTarget, rollout, guidedAnswers, guidedTokens } = this.#config;
    const targets = example.targets.map((item) => this.answerFor(example, item).leaf);
    const scoreOf = new Map(leaves.map((leaf, place) => [leaf, scores[place]]));
    const kept = dynamicSampling ? dynamicSample(leaves, targets, numGenerations) : [...leaves];
    if (addTarget && !kept.some((leaf) => targets.includes(leaf))) kept[kept.length - 1] = targets[0];
    return {
      example,
      // A target that was added was not written, so it ranks last.
      completions: kept.map((leaf, i) => {
        const answer = this.#answer(example, leaf);
        const isGuided = i >= numGenerations - guidedAnswers && scoreOf.has(leaf);
        return {
          ...answer,
          logProb: scoreOf.get(leaf) ?? -Infinity,
          given: isGuided ? Math.min(guidedTokens, answer.tokens.length) : 0,
        };
      }),
      ranked: rollout === "beam",
    };
  }

  /** Numbers of examples by the kind of their answers. Draws depend on the place here. */
  #order(examples: readonly RlExample[]): number[] {
    const kinds = examples.map((example) => this.#tries.kinds.indexOf(this.#tries.of(example)));
    return [...examples.keys()].sort((a, b) => kinds[a] - kinds[b]);
  }

  #writerFor(example: RlExample): Writer {
    return this.#writers[this.#tries.kinds.indexOf(this.#tries.of(example))];
  }

  /** What there is to know of a leaf. */
  #answer(example: RlExample, leaf: number): Omit<Answer, "logProb"> {
    const { kind: { trie, itemTokens, root }, answers } = this.#writerFor(example);
    let answer = answers.get(leaf);
    if (answer) return answer;
    const items = [...trie.host.itemsOf(leaf)].sort((a, b) => this.#places[a] - this.#places[b]);
    const tokens = itemTokens[items[0]];
    const nodes = new Uint32Array(tokens.length);
    nodes[0] = root;
    for (let i = 1; i < tokens.length; i++) {
      nodes[i] = this.#tries.all.host.walk(tokens.subarray(i - 1, i), nodes[i - 1])!;
    }
    answers.set(leaf, answer = { leaf, items, tokens, nodes });
    return answer;
  }
}

function checkGroupSize(
  { trie: { host: { leafCount } } }: AnswerKind,
  what: string,
  { rollout, replacement, numGenerations }: RolloutConfig,
): void {
  if (rollout !== "beam" && replacement || numGenerations <= leafCount) return;
  throw new UserError(
    `Cannot make groups of ${numGenerations} different answers: the catalogue has ${leafCount} ${what}. ` +
      `Use --num-generations ${leafCount} or fewer, or --rollout sample`,
  );
}

function writerOf(
  device: Device,
  model: DecodeModel,
  { trie, itemTokens }: AnswerKind,
  normalisation: TokenNormalisation,
  config: RolloutConfig,
): Pick<Writer, "search" | "write"> {
  const { numGenerations, dynamicSampling, replacement, temperature, topK, topP, seed } = config;
  const promptsOf = (examples: readonly RlExample[]) => examples.map(({ prompt }) => prompt);
  if (config.rollout === "beam") {
    const search = new BeamSearch(device, model, trie, { beams: numGenerations, normalisation });
    return { search, write: (examples) => search.run(promptsOf(examples)) };
  }
  const samples = dynamicSampling ? drawsForGroup(numGenerations) : numGenerations;
  const search = new ConstrainedSampler(device, model, trie, {
    samples,
    temperature,
    topK,
    topP,
    replacement,
  });
  const { guidedAnswers: draws, guidedTokens: depth } = config;
  return {
    search,
    write: (examples, step, firstPrompt) => {
      const guide = { draws, depth, sids: examples.map(({ targets }) => itemTokens[targets[0]]) };
      return search.run(promptsOf(examples), { seed, step, firstPrompt }, draws > 0 ? guide : undefined);
    },
  };
}
