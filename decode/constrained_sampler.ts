import type { Device } from "../kernels/gpu/device.ts";
import type { Flat, Matrix } from "../kernels/gpu/tensor.ts";
import {
  createTrieGumbelBeams,
  destroyTrieGumbelBeams,
  trieGumbelScores,
  trieGumbelTopK,
} from "../kernels/trie/search/gumbel.ts";
import {
  createTrieDraws,
  destroyTrieDraws,
  type Guides,
  type SampleShape,
  trieSample,
} from "../kernels/trie/sample.ts";
import { DEAD } from "../kernels/trie/search/topk.ts";
import type { DecodeModel } from "../models/decoder/decode.ts";
import type { DeviceTrie } from "./device_trie.ts";
import { appendedTokens, childLogProbs, cutOf, expectTokens, mostBeams } from "./trie_decoding.ts";

/** How to sample. */
export interface SamplerOptions extends Partial<SampleShape> {
  /** Draws a prompt, G, from 1; without replacement clamped to the number of different SIDs. */
  samples: number;
  /**
   * Whether a SID may be drawn again. true: G independent draws. false: G different SIDs by stochastic beam search
   * (Kool, van Hoof and Welling 2019, arXiv:1903.06059), which takes a temperature, but neither top-k nor top-p.
   */
  replacement: boolean;
}

/** Which random numbers to use: the same ones give the same draws. */
export interface SamplePlace {
  /** Non-negative safe integer. */
  seed: number;
  /** Step of training, below 2^32. */
  step: number;
  /** Number of the first prompt among those of the step, so that batches of a step differ. Default 0. */
  firstPrompt?: number;
}

/** Which draws start with tokens that are given. */
export interface Guide {
  /** The last draws of each prompt, so many, start so; from 1. */
  draws: number;
  /** Tokens that are given, from 1; a SID that is shorter is given whole. */
  depth: number;
  /** Token ids of a SID of the trie for each prompt: its first ones are given. */
  sids: readonly Uint32Array[];
}

/** The SIDs drawn for one prompt, in the order of drawing. */
export interface SampleResult {
  /** (G) leaves of the trie. */
  leaves: number[];
  /**
   * (G) log-probability of each SID under the model: each token's softmax over the tokens that the trie allows, before
   * temperature and filters.
   */
  scores: number[];
}

/** One batch on the device, and how it takes a step: with replacement or without. */
interface Draws {
  readonly nodes: Flat;
  readonly scores: Flat;
  readonly tokens: Flat;
  readonly parents: Flat;
  step(logProbs: Matrix, depth: number, guides: Guides | undefined): void;
  finish(): void;
  destroy(): void;
}

/**
 * Draws SIDs of a trie from a model. Prompts are computed once whatever the number of draws, and sampling stays on the
 * device: one read a batch. Tokens come from softmax(logits / temperature) over those that the trie allows.
 */
export class ConstrainedSampler {
  /** Draws a prompt after clamping: every result has this length. */
  readonly samples: number;
  /** Most prompts to pass to {@link run} at once. */
  readonly promptsPerBatch: number;
  /** The SIDs it can write. */
  readonly trie: DeviceTrie;
  #device: Device;
  #model: DecodeModel;
  #shape: SampleShape;
  #replacement: boolean;
  #seed: Flat;
  #draws = new Map<number, Draws>();
  /** Nodes of guides by their number of nodes. */
  #guides = new Map<number, Flat>();

  /**
   * Prepares draws from `model`; memory for them comes with the first batch.
   * @throws {RangeError} if samples are no integer from 1, the temperature is not above 0, topK is no integer from 0,
   * topP is not in (0, 1], or a filter is set without replacement.
   * @throws {UserError} if the trie holds tokens that the model does not have.
   */
  constructor(device: Device, model: DecodeModel, trie: DeviceTrie, options: SamplerOptions) {
    const { samples, temperature = 1, topK = 0, topP = 1, replacement } = options;
    const refuse = (what: string, expected: string): never => {
      throw new RangeError(`Cannot sample with ${what}: expected ${expected}`);
    };
    if (!Number.isInteger(samples) || samples < 1) refuse(`${samples} draws`, "an integer of 1 or more");
    if (!(temperature > 0 && temperature < Infinity)) {
      refuse(`temperature ${temperature}`, "a number above 0. For the most probable SIDs, use beam search");
    }
    if (!Number.isInteger(topK) || topK < 0) refuse(`topK ${topK}`, "an integer of 0 (off) or more");
    if (!(topP > 0 && topP <= 1)) refuse(`topP ${topP}`, "above 0, at most 1 (off)");
    if (!replacement && (topK > 0 || topP < 1)) {
      refuse(`topK ${topK} and topP ${topP} without replacement`, "topK 0 and topP 1, or replacement");
    }
    expectTokens(model, trie);
    this.#device = device;
    this.#model = model;
    this.#shape = { temperature, topK, topP };
    this.#replacement = replacement;
    this.#seed = device.createFlat("u32", 4);
    this.trie = trie;
    this.samples = replacement ? samples : Math.min(samples, trie.host.leafCount);
    this.promptsPerBatch = Math.max(1, Math.floor(mostBeams(device, model, trie) / this.samples));
  }

  /**
   * SIDs drawn for each prompt of token ids. A prompt's draws depend on the seed, the step and its number alone, not on
   * the others of its batch. `guide` gives some draws their first tokens, whose probability is in the score all the same.
   * Throws as the model does where a prompt is empty or too long.
   * @throws {RangeError} if seed, step or firstPrompt are not such integers as they should be, or draws without replacement
   * are guided.
   */
  async run(
    prompts: Uint32Array[],
    { seed, step, firstPrompt = 0 }: SamplePlace,
    guide?: Guide,
  ): Promise<SampleResult[]> {
    if (guide && !this.#replacement) throw new RangeError("Cannot guide draws without replacement");
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`Cannot sample with seed ${seed}: expected an integer of 0 or more`);
    }
    for (const [name, value] of Object.entries({ step, firstPrompt })) {
      if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
        throw new RangeError(`Cannot sample with ${name} ${value}: expected an integer from 0 to 2^32 - 1`);
      }
    }
    if (prompts.length === 0) return [];
    const cut = cutOf(this.#model, prompts);
    if (cut) {
      const second = { seed, step, firstPrompt: firstPrompt + cut };
      const part = (...range: number[]) => guide && { ...guide, sids: guide.sids.slice(...range) };
      return [
        ...await this.run(prompts.slice(0, cut), { seed, step, firstPrompt }, part(0, cut)),
        ...await this.run(prompts.slice(cut), second, part(cut)),
      ];
    }
    const draws = this.#drawsOf(prompts.length);
    const key = [seed >>> 0, Math.floor(seed / 2 ** 32)];
    this.#device.write(this.#seed, Uint32Array.of(...key, step, firstPrompt));
    const guides = guide && this.#guidesOf(guide);
    this.#device.scope(() => this.#sample(prompts, draws, guides));
    const [nodes, scores] = await this.#device.read(draws.nodes, draws.scores);
    const leaves = new Uint32Array(nodes.buffer, nodes.byteOffset, nodes.length);
    return prompts.map((_, prompt) => {
      const [start, end] = [prompt * this.samples, (prompt + 1) * this.samples];
      if (leaves.subarray(start, end).includes(DEAD)) {
        throw new Error(
          `Cannot draw SIDs for prompt ${prompt}: the model's logits are not finite. Go back to an earlier checkpoint`,
        );
      }
      return {
        leaves: Array.from(leaves.subarray(start, end)),
        scores: Array.from(scores.subarray(start, end)),
      };
    });
  }

  /** Gives the memory of the draws back; the trie and the model stay. */
  destroy(): void {
    for (const draws of this.#draws.values()) draws.destroy();
    this.#draws.clear();
    for (const nodes of this.#guides.values()) this.#device.destroy(nodes);
    this.#guides.clear();
    this.#device.destroy(this.#seed);
  }

  /** The guide on the device. */
  #guidesOf({ draws, depth, sids }: Guide): Guides {
    const nodes = new Uint32Array(sids.length * depth).fill(DEAD);
    for (const [prompt, sid] of sids.entries()) {
      for (let given = 1; given <= Math.min(depth, sid.length); given++) {
        nodes[prompt * depth + given - 1] = this.trie.host.walk(sid.subarray(0, given))!;
      }
    }
    let flat = this.#guides.get(nodes.length);
    if (!flat) this.#guides.set(nodes.length, flat = this.#device.createFlat("u32", nodes.length));
    this.#device.write(flat, nodes);
    return { draws: Math.min(draws, this.samples), depth, nodes: flat };
  }

  #sample(prompts: Uint32Array[], draws: Draws, guides: Guides | undefined): void {
    const device = this.#device;
    device.clear(draws.nodes); // every draw at the root
    const session = this.#model.start(prompts, this.samples, appendedTokens(this.trie));
    try {
      this.trie.fanOuts.forEach((capacity, depth) =>
        device.scope(() => {
          const hidden = depth === 0 ? session.hidden : session.step(draws.tokens, draws.parents);
          const rows = { trie: this.trie, nodes: draws.nodes, capacity };
          draws.step(childLogProbs(device, this.#model, this.trie, hidden, rows), depth, guides);
        })
      );
      draws.finish();
    } finally {
      session.close();
    }
  }

  #drawsOf(prompts: number): Draws {
    let draws = this.#draws.get(prompts);
    if (!draws) {
      draws = this.#replacement ? this.#independent(prompts) : this.#different(prompts);
      this.#draws.set(prompts, draws);
    }
    return draws;
  }

  #independent(prompts: number): Draws {
    const device = this.#device;
    const draws = createTrieDraws(device, prompts, this.samples);
    return {
      ...draws,
      step: (logProbs, depth, guides) =>
        trieSample(device, logProbs, this.trie, draws, depth, this.#seed, this.#shape, guides),
      finish: () => {},
      destroy: () => destroyTrieDraws(device, draws),
    };
  }

  #different(prompts: number): Draws {
    const device = this.#device;
    const beams = createTrieGumbelBeams(device, prompts, this.samples);
    return {
      ...beams,
      step: (logProbs, depth) =>
        trieGumbelTopK(device, logProbs, this.trie, beams, depth, this.#seed, this.#shape.temperature),
      finish: () => trieGumbelScores(device, beams, this.trie.host.maxDepth),
      destroy: () => destroyTrieGumbelBeams(device, beams),
    };
  }
}
