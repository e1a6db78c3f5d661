import type { SamplingOptions } from "../decode/sampling.ts";
import type { Asker, Dataset, Item, Sample } from "../data/dataset.ts";
import type { ReadWait } from "../kernels/gpu/readback.ts";
import type { AskedTexts } from "../prompts/prompts.ts";
import type { Trie } from "../sid/trie.ts";
import type { Scorer } from "./count_scorers.ts";

/**
 * What scores are: `log-probability`, of a SID, the sum of its tokens'; `logit`, any number of a model that scores items;
 * `weight`, a count or a share, 0 for what the rules say nothing about. All of them: higher is better, comparable within
 * a list, not between recommenders.
 */
export type ScoreUnit = "log-probability" | "logit" | "weight";

/** Every {@link ScoreUnit}. */
export const SCORE_UNITS = ["log-probability", "logit", "weight"] as const satisfies readonly ScoreUnit[];

/** Somebody to recommend to. A {@link Sample} is one. */
export interface RecommendRequest extends Asker {
  /** Item numbers, oldest first. */
  history: readonly number[];
  /** Items that are not to be listed, such as those of the history; default: none. */
  excluded?: ReadonlySet<number>;
}

/** What is wanted for each request. */
export interface RecommendOptions {
  /** Candidates, from 1. */
  k: number;
  /** SIDs that a search keeps on its way, at least `k`; default `k`. Recommenders that score every item need none. */
  beams?: number;
  /** Items to choose from, at least one, each once; default: all. */
  allowed?: readonly number[];
  /** When the last wait for the device begins, and what is told of it, so that another call can use it meanwhile. */
  wait?: ReadWait;
}

/** Throws {@link RangeError} unless there is something to list. */
export function checkK({ k }: RecommendOptions): void {
  if (Number.isInteger(k) && k >= 1) return;
  throw new RangeError(`Cannot list ${k} candidates: expected an integer of 1 or more`);
}

/** What a recommender tells apart: an item, or a SID with all items that share it. */
export interface Candidate {
  /** Its name in {@link Catalogue.names}; a search that is not bound to the catalogue may write others. */
  name: string;
  /** Its items, those bought most often in the train split first; none where the catalogue lacks `name`. */
  items: readonly number[];
  /** See {@link ScoreUnit}. */
  score: number;
}

/** The items that a recommender knows. */
export interface Catalogue {
  /** The items (N); index = item number. */
  readonly items: readonly Item[];
  /** What tells items apart (N): joined SIDs, equal ones of items that share one, or item numbers. */
  readonly names: readonly string[];
  /** SIDs (N), one list of tokens an item; absent where items are scored by themselves. */
  readonly sids?: readonly (readonly string[])[];
}

/** Where a recommender comes from. */
export interface Provenance {
  /** Kind of the folder, such as `baseline run`. */
  readonly kind: string;
  /** Name of the method or architecture, such as `sasrec` or `qwen2`. */
  readonly model: string;
  /** Its folder, as it was named. */
  readonly run: string;
  /** Name of the checkpoint. */
  readonly checkpoint: string;
  /** Directory of the dataset; its name where it was handed over. */
  readonly data: string;
  /** File of the SIDs; "" for those that the dataset ships, and without SIDs. */
  readonly index: string;
  /** `manifest.json` of the run: version, seed, adapter, hashes of inputs; absent for models without a run. */
  readonly manifest?: Readonly<Record<string, unknown>>;
}

/** How SIDs are searched. */
export interface SidSearch {
  /** Items of a prompt, the latest ones. */
  readonly maxHistory: number;
  /** What a token's probability is normalised over: `vocab` or `children`. */
  readonly normalisation: string;
  /** Factor of the log-probabilities of tokens that were read or written before, as in transformers; 1: none. */
  readonly repetitionPenalty: number;
  /** Whether any codewords may be written, be they a SID or not. */
  readonly unconstrained: boolean;
  /** Task that is asked: `next-item`, or another one that is answered with a SID alone. */
  readonly task: string;
  /** How reasons are written before a SID; absent where none are. */
  readonly reasons?: ReasonSettings;
  /** Says that the model has not seen the words in which it is asked. */
  readonly warning?: string;
}

/** How a model writes reasons. */
export interface ReasonSettings extends Required<Pick<SamplingOptions, "topK" | "topP" | "minP">> {
  /** Most tokens. */
  readonly maxNewTokens: number;
  /** Divides the logits that tokens are drawn by; 0: always the most probable one. */
  readonly temperature: number;
  /** Seed of the draws. */
  readonly seed: number;
}

/** Something trained that recommends. Weights are loaded once, with the first answer or by {@link Recommender.load}. */
export interface Recommender {
  /** What it can list. */
  readonly catalogue: Catalogue;
  /** What it was trained on, or was opened with. */
  readonly dataset: Dataset;
  /** How it was trained: the settings of its run; none of models without a run. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Where it comes from. */
  readonly provenance: Provenance;
  /** What its scores are. */
  readonly scoreUnit: ScoreUnit;
  /** How it searches; absent where items are scored. */
  readonly search?: SidSearch;
  /** Loads the weights. Throws `UserError` for what is damaged or does not fit. */
  load(): Promise<void>;
  /** Requests to hand over at once: more of them are split up, fewer leave the device idle. Loads the weights. */
  batchSize(options: RecommendOptions): Promise<number>;
  /**
   * The best candidates for each request, best first, none twice: `k`, or all there are. Calls may overlap: they are
   * answered one after the other.
   * @throws {RangeError} unless `k` is an integer from 1.
   * @throws {UserError} for a history that names other items, or is empty where the model must read one.
   */
  recommend(requests: readonly RecommendRequest[], options: RecommendOptions): Promise<Candidate[][]>;
  /**
   * Why the next item follows, in the words of the model, for requests that are then to be answered with them: see
   * {@link Asker.reasoning}. A request without is answered with what is written here. Absent where none are written.
   */
  reason?(requests: readonly RecommendRequest[]): Promise<string[]>;
  /** How a request is put to a model that reads words; absent where none are read. */
  asked?(request: RecommendRequest): AskedTexts;
  /** The search behind one list, token by token; absent where no SIDs are searched within the catalogue. */
  trace?(request: RecommendRequest, options: RecommendOptions): Promise<SearchTrace>;
  /** What moved the items of one list; absent where no features are weighed. */
  explain?(request: RecommendRequest, options: RecommendOptions): Promise<ListExplanation>;
  /** Scores of all items (N) for each history, one list at a time; absent where SIDs are searched. */
  scoreItems?(histories: readonly (readonly number[])[]): AsyncIterable<Float32Array>;
  /** Vectors of the items (N, dim), row after row; undefined where items have none. */
  embeddings(): Promise<{ dim: number; data: Float32Array } | undefined>;
  /** Frees everything on the device. */
  destroy(): void;
}

/** A search of SIDs and what it kept on its way. */
export interface SearchTrace {
  /** As {@link Recommender.recommend} lists them. */
  candidates: Candidate[];
  /** After each token, best first: the beginnings of SIDs that the search went on with. */
  kept: { prefix: readonly string[]; score: number }[][];
}

/** What moved the items of a list. */
export interface ListExplanation {
  /** Names of the features (F). */
  features: readonly string[];
  /** Best first. */
  items: {
    item: number;
    score: number;
    /** (F): by how much the score would fall if the item had the list's mean of a feature. */
    effects: number[];
  }[];
}

/** Predictions for one user, best first. */
export interface Ranked {
  /** What is compared with the target: SIDs as joined token strings, or item numbers where items are ranked. */
  sids: string[];
  /** As long as `sids`, descending. */
  scores: number[];
  /** What the model wrote before; absent where it writes no reasons. */
  reasoning?: string;
}

/** Ranks names for a batch of samples; looks at their histories only. */
export type RankSamples = (samples: readonly Sample[]) => Promise<Ranked[]>;

/** The best `k` candidates of a recommender by their names. */
export function rankBy(recommender: Recommender, k: number): RankSamples {
  return async (samples) => {
    const requests = await withReasons(recommender, samples);
    return (await recommender.recommend(requests, { k })).map((candidates, i) => ({
      sids: candidates.map(({ name }) => name),
      scores: candidates.map(({ score }) => score),
      ...(requests[i].reasoning !== undefined && { reasoning: requests[i].reasoning }),
    }));
  };
}

/** Requests with the reasons that the model writes for them, where it writes any. */
export async function withReasons(
  recommender: Recommender,
  requests: readonly RecommendRequest[],
): Promise<readonly RecommendRequest[]> {
  const reasons = await recommender.reason?.(requests);
  return reasons ? requests.map((request, i) => ({ ...request, reasoning: reasons[i] })) : requests;
}

/** The best `k` items of counts by the names of items (N); scores of items that share a name are added up. */
export function rankByCounts(scorer: Scorer, names: readonly string[], k: number): RankSamples {
  return (samples) =>
    Promise.resolve(samples.map(({ history }) => {
      const { items, scores } = scorer.rank(history, k);
      const totals = new Map<string, number>();
      items.forEach((item, i) => totals.set(names[item], (totals.get(names[item]) ?? 0) + scores[i]));
      // Stable: items without a score keep the scorer's order.
      const sorted = [...totals].sort(([, a], [, b]) => b - a);
      return { sids: sorted.map(([sid]) => sid), scores: sorted.map(([, score]) => score) };
    }));
}

/** (nodes): the SID of the items at each leaf, "" for inner nodes. `sids` has one string an item. */
export function leafSids(trie: Trie, sids: readonly string[]): string[] {
  return Array.from(
    { length: trie.nodeCount },
    (_, node) => trie.isLeaf(node) ? sids[trie.itemsOf(node)[0]] : "",
  );
}
