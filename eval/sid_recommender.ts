import { UserError } from "../base/user_error.ts";
import type { Dataset } from "../data/dataset.ts";
import type { BeamResult } from "../decode/beam_search.ts";
import { BeamSearches } from "../decode/beam_searches.ts";
import type { SamplingOptions } from "../decode/sampling.ts";
import { TextWriter } from "../decode/text_writer.ts";
import { ProductSearch } from "../decode/product_search.ts";
import type { Device } from "../kernels/gpu/device.ts";
import type { TokenNormalisation } from "../kernels/trie/log_softmax.ts";
import type { DecodeModel } from "../models/decoder/decode.ts";
import { CodeTokens } from "../prompts/code_tokens.ts";
import type { NextItemPrompts, WrittenReasons } from "../prompts/next_item.ts";
import { formatSid } from "../sid/tokens.ts";
import { beamsFor, popularItems, SidLists } from "./item_lists.ts";
import { LoadedWeights, type WeightsDevice } from "./loaded_weights.ts";
import {
  type Candidate,
  type Catalogue,
  checkK,
  type Provenance,
  type Recommender,
  type RecommendOptions,
  type RecommendRequest,
  type ScoreUnit,
  type SearchTrace,
  type SidSearch,
} from "./recommender.ts";

/** A model whose weights are on a device. */
export interface SearchedModel extends DecodeModel {
  /** Frees them. */
  destroy(): void;
}

/** A trained model that writes SIDs, wherever it is kept. */
export interface SidRecommenderParts {
  dataset: Dataset;
  /** Items from the most to the least bought, for those that share a SID. Default: by the train split. */
  popular?: readonly number[];
  /** SIDs that the model writes, one an item. */
  sids: readonly (readonly string[])[];
  /** How it is asked for the next item. */
  prompts: NextItemPrompts;
  /** Items of a prompt. */
  maxHistory: number;
  /** What probabilities are normalised over. */
  normalisation: TokenNormalisation;
  /** As which task it is asked, and a warning where it has not seen the words of that. */
  asked: Pick<SidSearch, "task" | "warning">;
  /** How it was trained. */
  settings: Readonly<Record<string, unknown>>;
  provenance: Provenance;
  /** Loads the weights. Throws {@link UserError} for what is damaged or does not fit. */
  load(device: Device): Promise<SearchedModel>;
}

/** How a {@link SidRecommender} answers; all have defaults. */
export interface SidRecommenderOptions extends Pick<SamplingOptions, "topK" | "topP" | "minP"> {
  /** Write any codewords, be they a SID or not; for models with a table for each level. Default: false. */
  unconstrained?: boolean;
  /** Factor of the log-probabilities of tokens that were read or written before, as in transformers. Default: 1, none. */
  repetitionPenalty?: number;
  /** Divides the logits that tokens of reasons are drawn by; 0 (default): always the most probable one. */
  temperature?: number;
  /** Seed of these draws. Default: 42. */
  seed?: number;
  /** Device for the weights, or what opens one when they are loaded; default: `Device.open()`. */
  device?: WeightsDevice;
}

/** What answers. */
interface Loaded {
  device: Device;
  model: SearchedModel;
  searches: BeamSearches;
  destroy(): void;
}

/** A model that writes SIDs: candidates are SIDs, found by beam search, with their log-probabilities. */
export class SidRecommender implements Recommender {
  readonly catalogue: Catalogue;
  readonly dataset: Dataset;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly provenance: Provenance;
  readonly scoreUnit: ScoreUnit = "log-probability";
  readonly search: SidSearch;
  readonly asked?: Recommender["asked"];
  readonly reason?: Recommender["reason"];
  readonly trace?: Recommender["trace"];
  readonly #prompts: NextItemPrompts;
  readonly #weights: LoadedWeights<Loaded>;
  readonly #lists: SidLists;
  #members: Map<string, number[]> | undefined;

  /** Throws {@link UserError} for an unconstrained search of a model without a table for each level. */
  constructor(parts: SidRecommenderParts, options: SidRecommenderOptions = {}) {
    const { unconstrained = false, repetitionPenalty = 1, device } = options;
    const { temperature = 0, topK = 0, topP = 1, minP = 0, seed = 42 } = options;
    const { dataset, sids, prompts, maxHistory, normalisation, asked, settings, provenance } = parts;
    if (unconstrained && !(prompts instanceof CodeTokens)) {
      throw new UserError(
        `Cannot search ${provenance.run} with --unconstrained: its model has no table for each level of the SIDs, ` +
          "expected a run of `genrec etegrec` or of `genrec baseline --model tiger`. Leave it out",
      );
    }
    if (repetitionPenalty !== 1 && prompts instanceof CodeTokens) {
      throw new UserError(
        `Cannot search ${provenance.run} with --repetition-penalty ${repetitionPenalty}: its model has a table for each ` +
          "level of the SIDs, so that no token can be repeated, expected a decoder, such as a run of `genrec sft`. " +
          "Leave it out",
      );
    }
    const names = sids.map((sid) => sid.join(""));
    this.catalogue = { items: dataset.items, names, sids };
    this.dataset = dataset;
    this.settings = settings;
    this.provenance = provenance;
    const written = prompts instanceof CodeTokens ? undefined : prompts.reasons;
    const reasons = written && { maxNewTokens: written.most, temperature, topK, topP, minP, seed };
    const searched = { normalisation, repetitionPenalty };
    this.search = { maxHistory, ...searched, unconstrained, ...(reasons && { reasons }), ...asked };
    if (reasons) this.reason = (requests) => this.#weights.use((loaded) => this.#write(loaded, requests));
    const said = prompts instanceof CodeTokens ? undefined : prompts.said;
    if (said) this.asked = (request) => said(request.history, request);
    if (!unconstrained) {
      this.trace = (request, options) => this.#weights.use((loaded) => this.#trace(loaded, request, options));
    }
    this.#prompts = prompts;
    this.#lists = new SidLists(names, parts.popular ?? popularItems(dataset.samples.train, names.length));
    this.#weights = new LoadedWeights(device, async (device) => {
      const model = await parts.load(device);
      const searches = new BeamSearches(device, model, prompts.itemTokens, searched);
      return { device, model, searches, destroy: () => (searches.destroy(), model.destroy()) };
    });
  }

  async load(): Promise<void> {
    await this.#weights.get();
  }

  async batchSize(options: RecommendOptions): Promise<number> {
    const beams = beamsOf(options);
    return await this.#weights.use((loaded) => {
      const search = this.search.unconstrained
        ? this.#productSearch(loaded, beams)
        : loaded.searches.of(beams, options.allowed);
      return Promise.resolve(search.promptsPerBatch);
    });
  }

  async recommend(
    requests: readonly RecommendRequest[],
    options: RecommendOptions,
  ): Promise<Candidate[][]> {
    checkK(options);
    return await this.#weights.use(async (loaded, release) => {
      if (this.search.unconstrained) return await this.#writeAny(loaded, requests, options);
      const reasoned = await this.#reasoned(loaded, requests);
      const { begin, onComputed } = options.wait ?? {};
      const wait = { begin, onComputed: () => (release(), onComputed?.()) };
      return await this.#searchCatalogue(loaded, reasoned, { ...options, wait });
    });
  }

  embeddings(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  destroy(): void {
    this.#weights.destroy();
  }

  async #searchCatalogue(
    { searches }: Loaded,
    requests: readonly RecommendRequest[],
    options: RecommendOptions,
  ): Promise<Candidate[][]> {
    const { k, allowed, wait } = options;
    const beams = beamsOf(options);
    const among = allowed && new Set(allowed);
    const without = requests.map(({ excluded = new Set<number>() }) =>
      among ? new Set([...excluded].filter((item) => among.has(item))) : excluded
    );
    const widths = Map.groupBy(requests.keys(), (i) => beamsFor(beams, k, without[i].size));
    const found: BeamResult[] = [];
    let left = requests.length;
    for (const [width, members] of widths) {
      const search = searches.of(width, allowed);
      for (let start = 0; start < members.length; start += search.promptsPerBatch) {
        const batch = members.slice(start, start + search.promptsPerBatch);
        const asked = Math.max(...batch.map((i) => k + without[i].size));
        left -= batch.length;
        const prompts = batch.map((i) => this.#promptOf(requests[i]));
        const results = await search.run(prompts, asked, left === 0 ? wait : { begin: wait?.begin });
        batch.forEach((i, b) => found[i] = results[b]);
      }
    }
    const trie = searches.of(beams, allowed).trie.host;
    return found.map((result, i) => this.#lists.list(trie, result, k, without[i]));
  }

  async #trace(loaded: Loaded, request: RecommendRequest, options: RecommendOptions): Promise<SearchTrace> {
    checkK(options);
    const { k, allowed } = options;
    const [reasoned] = await this.#reasoned(loaded, [request]);
    const among = allowed && new Set(allowed);
    const without = [...request.excluded ?? []].filter((item) => among?.has(item) ?? true);
    const search = loaded.searches.of(beamsFor(beamsOf(options), k, without.length), allowed);
    const { result, kept } = await search.trace(this.#promptOf(reasoned));
    const trie = search.trie.host;
    const sids = this.catalogue.sids!;
    return {
      candidates: this.#lists.list(trie, result, k, new Set(without)),
      kept: kept.map(({ nodes, scores }) =>
        nodes.map((node, i) => ({
          prefix: sids[trie.firstItemBelow(node)].slice(0, trie.depths[node]),
          score: scores[i],
        }))
      ).filter(({ length }) => length > 0),
    };
  }

  async #writeAny(
    loaded: Loaded,
    requests: readonly RecommendRequest[],
    options: RecommendOptions,
  ): Promise<Candidate[][]> {
    if (options.allowed || requests.some(({ excluded }) => excluded && excluded.size > 0)) {
      throw new RangeError(
        "Cannot leave out items of an unconstrained search: expected neither allowed nor excluded",
      );
    }
    const { names } = this.catalogue;
    this.#members ??= Map.groupBy(this.#lists.inOrder([...names.keys()]), (item) => names[item]);
    const search = this.#productSearch(loaded, beamsOf(options));
    const lists = [];
    for (let start = 0; start < requests.length; start += search.promptsPerBatch) {
      const batch = requests.slice(start, start + search.promptsPerBatch);
      lists.push(...await search.run(batch.map((request) => this.#promptOf(request))));
    }
    return lists.map(({ codes, scores }) =>
      codes.slice(0, options.k).map((written, i) => {
        const name = formatSid(written).join("");
        return { name, items: this.#members!.get(name) ?? [], score: scores[i] };
      })
    );
  }

  #productSearch({ device, model, searches }: Loaded, beams: number): ProductSearch {
    const { sizes } = this.#prompts as CodeTokens;
    return new ProductSearch(device, model, searches.trie, { beams, sizes });
  }

  /** Requests with reasons, where the task has them: those that came with some keep them. */
  async #reasoned(
    loaded: Loaded,
    requests: readonly RecommendRequest[],
  ): Promise<readonly RecommendRequest[]> {
    const without = this.search.reasons ? requests.filter(({ reasoning }) => reasoning === undefined) : [];
    if (without.length === 0) return requests;
    const written = await this.#write(loaded, without);
    return requests.map((request) => {
      const place = without.indexOf(request);
      return place < 0 ? request : { ...request, reasoning: written[place] };
    });
  }

  /** What the model writes before it names an item. */
  async #write({ device, model }: Loaded, requests: readonly RecommendRequest[]): Promise<string[]> {
    const { reasons } = this.#prompts as NextItemPrompts & { reasons: WrittenReasons };
    const writer = new TextWriter(device, model, { ...this.search.reasons!, stop: reasons.stop });
    const asked = requests.map(({ reasoning: _, ...request }) => this.#promptOf(request));
    return (await writer.run(asked)).map((tokens) => reasons.text(tokens));
  }

  #promptOf(request: RecommendRequest): Uint32Array {
    return this.#prompts.prompt(request.history, request);
  }
}

function beamsOf({ k, beams = k }: RecommendOptions): number {
  return Math.max(beams, k);
}
