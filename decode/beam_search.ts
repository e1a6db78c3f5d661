import type { Device } from "../kernels/gpu/device.ts";
import type { ReadWait } from "../kernels/gpu/readback.ts";
import { logSumExp } from "../kernels/reduce/log_sum_exp.ts";
import type { Matrix } from "../kernels/gpu/tensor.ts";
import { type TokenNormalisation, trieLogSoftmax, type TrieRows } from "../kernels/trie/log_softmax.ts";
import {
  createTrieBeams,
  DEAD,
  DEAD_SCORE,
  destroyTrieBeams,
  type TrieBeams,
  trieFinished,
  type TrieLevel,
  trieLevel,
  trieTopK,
} from "../kernels/trie/search/topk.ts";
import { type DecodeModel, MOST_LOGITS } from "../models/decoder/decode.ts";
import { BeamWidths } from "./beam_widths.ts";
import type { DeviceTrie } from "./device_trie.ts";
import { type PromptTokens, Repetition } from "./repetition.ts";
import { appendedTokens, childLogProbs, cutOf, evenCutOf, expectTokens, mostBeams } from "./trie_decoding.ts";

/** How to search. */
export interface BeamSearchOptions {
  /** Beams a prompt, from 1; clamped to the number of different SIDs. */
  beams: number;
  /** What a token's probability is normalised over; a SID's score is the sum of its tokens' log-probabilities. */
  normalisation: TokenNormalisation;
  /**
   * Factor of the log-probabilities of tokens that a beam has read or written, as `repetition_penalty` of transformers:
   * above 1 they get less probable; all are normalised anew. Above 0; default 1: none.
   */
  repetitionPenalty?: number;
}

/** The best SIDs of one prompt, best first, none twice. */
export interface BeamResult {
  /** Leaves of the trie. */
  leaves: number[];
  /** Log-probabilities, as long as `leaves`. */
  scores: number[];
}

/** A search with what it kept on its way. */
export interface TracedBeams {
  /** The best SIDs, as {@link BeamSearch.run} has them. */
  result: BeamResult;
  /** After each token, best first: trie nodes of the prefixes that are no whole SIDs, and their log-probabilities. */
  kept: { nodes: number[]; scores: number[] }[];
}

/**
 * Beam search that can only write SIDs of a trie. Prompts are computed once whatever the number of beams, and the
 * search stays on the device: one read a batch. Where beams reach the number of SIDs, the result is exact.
 */
export class BeamSearch {
  /** Beams a prompt after clamping: every result has this length. */
  readonly beams: number;
  /** Most prompts to pass to {@link run} at once. */
  readonly promptsPerBatch: number;
  /** The SIDs it can write. */
  readonly trie: DeviceTrie;
  #device: Device;
  #model: DecodeModel;
  #normalisation: TokenNormalisation;
  #repetition: Repetition | undefined;
  #states = new Map<number, TrieBeams>();
  #widths: BeamWidths;

  /**
   * Prepares searches of `model`; memory for beams comes with the first batch.
   * @throws {RangeError} if beams are no integer from 1, or the repetition penalty is not above 0.
   * @throws {UserError} if the trie holds tokens that the model does not have.
   */
  constructor(
    device: Device,
    model: DecodeModel,
    trie: DeviceTrie,
    { beams, normalisation, repetitionPenalty = 1 }: BeamSearchOptions,
  ) {
    if (!Number.isInteger(beams) || beams < 1) {
      throw new RangeError(`Cannot search with ${beams} beams: expected an integer of 1 or more`);
    }
    expectTokens(model, trie);
    this.#device = device;
    this.#model = model;
    this.#normalisation = normalisation;
    this.trie = trie;
    this.beams = Math.min(beams, trie.host.leafCount);
    this.#widths = new BeamWidths(this.beams, trie.host.maxDepth);
    if (repetitionPenalty !== 1) this.#repetition = new Repetition(device, model, trie, repetitionPenalty);
    const logits = normalisation === "vocab" || this.#repetition
      ? Math.min(MOST_LOGITS, model.vocabulary + 3)
      : 0;
    this.promptsPerBatch = Math.max(1, Math.floor(mostBeams(device, model, trie, logits) / this.beams));
  }

  /**
   * The best `answers` SIDs for each prompt of token ids, all beams by default. Throws as the model does where a prompt is
   * empty or too long. In what `wait` has, another search may run.
   */
  async run(
    prompts: Uint32Array[],
    answers = this.beams,
    wait: ReadWait = {},
  ): Promise<BeamResult[]> {
    if (prompts.length === 0) return [];
    const cut = cutOf(this.#model, prompts) ?? evenCutOf(prompts.length);
    if (cut) {
      const { begin } = wait;
      const first = await this.run(prompts.slice(0, cut), answers, { begin });
      return [...first, ...await this.run(prompts.slice(cut), answers, wait)];
    }
    const asked = Math.min(answers, this.beams);
    const widths = this.#repetition ? this.#all() : this.#widths.of(asked);
    const results = await this.#run(prompts, asked, widths, wait);
    const again = [...results.keys()].filter((i) => results[i] === undefined);
    if (again.length > 0) {
      const whole = await this.#run(again.map((i) => prompts[i]), asked, this.#all(), {});
      again.forEach((i, at) => results[i] = whole[at]);
    }
    return results as BeamResult[];
  }

  /** The best SIDs for one prompt, and the prefixes that the search kept after each token. Throws as {@link run}. */
  async trace(prompt: Uint32Array): Promise<TracedBeams> {
    const device = this.#device;
    const state = this.#state(1);
    const seen = this.#repetition?.read([prompt], this.beams);
    const levels = device.scope(() => this.#search([prompt], state, this.#all(), seen));
    const steps = levels.flatMap(({ nodes, scores }) => [nodes, scores]);
    const [leaves, scores, ...read] = await device.read(state.leaves, state.scores, ...steps);
    if (seen) this.#repetition!.release(seen);
    const kept = [];
    for (let step = 0; step < read.length; step += 2) {
      const nodes = wholeNumbers(read[step]);
      const alive = [...nodes.keys()].filter((beam) => nodes[beam] !== DEAD);
      kept.push({
        nodes: alive.map((beam) => nodes[beam]),
        scores: alive.map((beam) => read[step + 1][beam]),
      });
    }
    return { result: this.#result(0, this.beams, wholeNumbers(leaves), scores), kept };
  }

  /** Gives the memory of the beams back; the trie and the model stay. */
  destroy(): void {
    for (const state of this.#states.values()) destroyTrieBeams(this.#device, state);
    this.#states.clear();
    this.#repetition?.destroy();
  }

  #all(): number[] {
    return this.trie.fanOuts.map(() => this.beams);
  }

  /** One batch, of which `widths` beams run on after each step; undefined for prompts that needed more of them. */
  async #run(
    prompts: Uint32Array[],
    answers: number,
    widths: readonly number[],
    wait: ReadWait,
  ): Promise<(BeamResult | undefined)[]> {
    // Lengths of prompts, beams that run on and prompts that are searched again differ from search to search.
    if (this.#device.memory.isBeyond) this.#device.trim();
    const state = this.#state(prompts.length);
    const seen = this.#repetition?.read(prompts, this.beams);
    const levels = this.#device.scope(() => this.#search(prompts, state, widths, seen));
    const kept = levels.map(({ scores }) => scores);
    const [nodes, scores, ...running] = await this.#device.readAfter(
      wait,
      state.leaves,
      state.scores,
      ...kept,
    );
    if (seen) this.#repetition!.release(seen);
    const leaves = wholeNumbers(nodes);
    return prompts.map((_, prompt) => {
      const start = prompt * this.beams;
      const worst = scores[start + answers - 1];
      const needed = running.map((step) => {
        const scores = step.subarray(start, start + this.beams);
        const below = scores.findIndex((score) => !(score >= worst && score > DEAD_SCORE));
        return below < 0 ? this.beams : below;
      });
      if (needed.some((beams, step) => beams > widths[step])) return undefined;
      this.#widths.learn(answers, needed);
      return this.#result(prompt, answers, leaves, scores);
    });
  }

  /** Beams after each step, of which `widths` run on. */
  #search(
    prompts: Uint32Array[],
    state: TrieBeams,
    widths: readonly number[],
    seen: PromptTokens | undefined,
  ): TrieLevel[] {
    const device = this.#device;
    const levels = widths.map((width, step) => trieLevel(device, state, step, width));
    const session = this.#model.start(prompts, this.beams, appendedTokens(this.trie));
    try {
      levels.forEach((to, step) =>
        device.scope(() => {
          const from = levels[step - 1] as TrieLevel | undefined;
          const hidden = from ? session.step(from.tokens, from.parents) : session.hidden;
          const nodes = from?.nodes ?? state.roots;
          const rows = { trie: this.trie, nodes, capacity: this.trie.fanOuts[step] };
          const logProbs = seen
            ? this.#penalised(hidden, rows, seen, step === 0)
            : this.#logProbs(hidden, rows);
          trieTopK(device, logProbs, this.trie, state, { from, to });
        })
      );
      trieFinished(device, state);
    } finally {
      session.close();
    }
    return levels;
  }

  #logProbs(hidden: Matrix, rows: TrieRows): Matrix {
    const device = this.#device;
    const { vocabulary } = this.#model;
    let sum: Matrix | undefined;
    if (this.#normalisation === "vocab") {
      for (const logits of this.#model.logitParts(hidden)) {
        if (logits.cols === vocabulary) return trieLogSoftmax(device, logits, rows, "vocab").logProbs;
        sum = logSumExp(device, logits, sum);
        device.release(logits);
      }
    }
    return childLogProbs(device, this.#model, this.trie, hidden, rows, sum);
  }

  #penalised(hidden: Matrix, rows: TrieRows, seen: PromptTokens, first: boolean): Matrix {
    const device = this.#device;
    let vocabularySum: Matrix | undefined;
    for (const logits of this.#model.logitParts(hidden)) {
      vocabularySum = logSumExp(device, logits, vocabularySum);
      device.release(logits);
    }
    const logProbs = childLogProbs(device, this.#model, this.trie, hidden, rows, vocabularySum);
    const at = { hidden, rows, vocabularySum: vocabularySum!, first };
    return this.#repetition!.apply(logProbs, at, seen, this.#normalisation);
  }

  #result(prompt: number, answers: number, leaves: Uint32Array, scores: Float32Array): BeamResult {
    const start = prompt * this.beams;
    const end = start + answers;
    // Each running beam leads to a leaf of its own, so a list is short only if scores could not be compared.
    const found = leaves.subarray(start, end).findIndex((leaf) => leaf === DEAD);
    if (found >= 0) {
      throw new Error(
        `Cannot rank SIDs for prompt ${prompt}: found ${found} of ${answers}, so the model's logits are not ` +
          "finite. Go back to an earlier checkpoint",
      );
    }
    return {
      leaves: Array.from(leaves.subarray(start, end)),
      scores: Array.from(scores.subarray(start, end)),
    };
  }

  #state(prompts: number): TrieBeams {
    let state = this.#states.get(prompts);
    if (!state) {
      this.#states.set(
        prompts,
        state = createTrieBeams(this.#device, prompts, this.beams, this.trie.host.maxDepth),
      );
    }
    return state;
  }
}

/** What was read of a flat of u32. */
function wholeNumbers(read: Float32Array): Uint32Array {
  return new Uint32Array(read.buffer, read.byteOffset, read.length);
}

/** One search of {@link BeamSearch}: `prompts` of token ids -> the best SIDs of each. */
export async function beamSearch(
  device: Device,
  model: DecodeModel,
  trie: DeviceTrie,
  prompts: Uint32Array[],
  options: BeamSearchOptions,
): Promise<BeamResult[]> {
  const search = new BeamSearch(device, model, trie, options);
  try {
    return await search.run(prompts);
  } finally {
    search.destroy();
  }
}
