import { z } from "zod";
import type { PieceFile } from "../../base/files/pieces.ts";
import { readJson } from "../../base/files/json_file.ts";
import type { SettingsSchema } from "../../base/settings.ts";
import { UserError } from "../../base/user_error.ts";
import { once, type PartsBefore } from "../../data/corpus_stream.ts";
import type { WorkState } from "../../data/kept/work.ts";
import { readingBytes } from "../../data/cost/memory.ts";
import type { CorpusSizes } from "../../data/cost/sizes.ts";
import { countInParts, type CountState, openCount, rankInParts } from "./counting.ts";
import {
  catalogueScores,
  markovChainOf,
  popularityOf,
  repeatRecentOf,
  type Scorer,
  SEQUENTIAL_RULES,
  sequentialRulesOf,
  transitionsOf,
} from "../../eval/count_scorers.ts";
import {
  type CountedSample,
  countHeld,
  type CountingPlan,
  planCounting,
  PurchaseCounter,
  type SampleCounter,
  TransitionCounter,
  type TransitionCounts,
  type TransitionOptions,
} from "../../eval/transition_counts.ts";
import { hitsAtK, mean, ndcgAtK } from "../../eval/metrics.ts";
import { safetensorsPieces } from "../../models/safetensors/safetensors.ts";
import { freshState, type TrainingState } from "../../models/training/state.ts";
import { train, type Validated } from "../../models/training/loop.ts";
import { round } from "../../base/round.ts";
import { RunStore } from "../run/store.ts";
import { readWeights } from "./item_baseline.ts";
import type { BaselineInput, BaselineResult, ItemScoringMethod, TrainedBaseline } from "./method.ts";

/** Numbers that are written at a time. */
const PART = 2 ** 20;
/** Bytes of an item's id and title. */
const CATALOGUE_BYTES = 200;

/** Counts by name, as in checkpoints, which have whole numbers as single precision. */
type Counts = ReadonlyMap<string, Float32Array | Uint32Array>;

/** Takes a counter through the samples. */
type RunCounter = <T>(counter: SampleCounter<T>) => Promise<T>;

/** A recommender that only counts the train split. */
interface CountMethod<C> {
  name: string;
  summary: string;
  /** Numbers in every file of counts: the names that `scorer` reads. */
  count(run: RunCounter, items: number, config: C): Promise<Counts>;
  /** What that takes. */
  plan(sizes: CorpusSizes, config: C): CountingPlan;
  scorer(counts: Counts): Scorer;
  Config: SettingsSchema<C>;
}

const NoSettings = z.strictObject({});

const TransitionSettings = z.strictObject({
  neighbours: z.int().min(0).default(0).describe(
    "most items that are kept for an item, those with the highest counts; 0: all. 8 bytes each",
  ),
});
type TransitionSettings = z.output<typeof TransitionSettings>;

const CountShape = z.strictObject({ model_type: z.string(), num_items: z.int().min(1) });

/** Bestsellers: see `popularity` of the evaluation. */
export const popularity: ItemScoringMethod<Record<string, never>> = countBaseline({
  name: "popularity",
  summary: "bestsellers, whatever the history",
  Config: NoSettings,
  count: countPurchases,
  plan: planPurchases,
  scorer: (counts) => popularityOf(boughtOf(counts)),
});

/** The user's own items: see `repeatRecent` of the evaluation. */
export const repeat: ItemScoringMethod<Record<string, never>> = countBaseline({
  name: "repeat",
  summary: "the user's own items, latest first, then bestsellers",
  Config: NoSettings,
  count: countPurchases,
  plan: planPurchases,
  scorer: (counts) => repeatRecentOf(boughtOf(counts)),
});

/** What was bought after the items of the history: see `transitionScorer` of the evaluation. */
export const transitions: ItemScoringMethod<TransitionSettings> = countBaseline({
  name: "transitions",
  summary: "what was bought after the items of the history, late ones counting more",
  Config: TransitionSettings,
  count: (run, items, settings) => countTransitions(run, items, settings),
  plan: (sizes, settings) => planTransitions(sizes, settings),
  scorer: (counts) => transitionsOf(transitionsIn(counts)),
});

/** What was bought right after the latest item: see `markovChain` of the evaluation. */
export const markov: ItemScoringMethod<TransitionSettings> = countBaseline({
  name: "markov",
  summary: "what was bought right after the latest item (first-order Markov chain)",
  Config: TransitionSettings,
  count: (run, items, settings) => countTransitions(run, items, settings, { firstOrder: true }),
  plan: (sizes, settings) => planTransitions(sizes, settings, { firstOrder: true }),
  scorer: (counts) => markovChainOf(transitionsIn(counts)),
});

/** Both directions of what was bought together: see `sequentialRulesOf()` of the evaluation. */
export const sequentialRules: ItemScoringMethod<TransitionSettings> = countBaseline({
  name: "sequential-rules",
  summary: "what was bought after and before the items of the history, and these items again",
  Config: TransitionSettings,
  count: (run, items, settings) => countTransitions(run, items, settings, SEQUENTIAL_RULES),
  plan: (sizes, settings) => planTransitions(sizes, settings, SEQUENTIAL_RULES),
  scorer: (counts) => sequentialRulesOf(transitionsIn(counts)),
});

async function countTransitions(
  run: RunCounter,
  items: number,
  { neighbours }: TransitionSettings,
  options: TransitionOptions = {},
): Promise<Counts> {
  return transitionFiles(await run(new TransitionCounter(items, { ...options, ...most(neighbours) })));
}

function planTransitions(
  { items, samples, historyItems }: CorpusSizes,
  { neighbours }: TransitionSettings,
  options: TransitionOptions = {},
): CountingPlan {
  const train = { items, samples: samples.train, historyItems: historyItems.train };
  return planCounting(train, { ...options, ...most(neighbours) });
}

function planPurchases({ items, users }: CorpusSizes): CountingPlan {
  return { ways: 1, bytes: 2 * 8 * items + users };
}

/** With the catalogue, and what going through the splits takes. */
function countingBytes({ items, samples }: CorpusSizes, { ways, bytes }: CountingPlan): number {
  return readingBytes(ways * samples.train + samples.valid) + CATALOGUE_BYTES * items + bytes;
}

/** 0 neighbours are all. */
function most(neighbours: number): TransitionOptions {
  return { largest: neighbours === 0 ? Infinity : neighbours };
}

// Offsets may pass 2^24, where single precision ends; lengths of rows do not.
function transitionFiles({ bought, offsets, targets, weights }: TransitionCounts): Counts {
  return new Map([
    ["bought", Float32Array.from(bought)],
    ["row_lengths", Float32Array.from(bought, (_, item) => offsets[item + 1] - offsets[item])],
    ["targets", targets],
    ["weights", weights],
  ]);
}

function transitionsIn(counts: Counts): TransitionCounts {
  const lengths = counts.get("row_lengths")!;
  const offsets = new Uint32Array(lengths.length + 1);
  lengths.forEach((length, item) => offsets[item + 1] = offsets[item] + length);
  return {
    bought: boughtOf(counts),
    offsets,
    targets: counts.get("targets")!,
    weights: counts.get("weights")! as Float32Array,
  };
}

async function countPurchases(run: RunCounter, items: number): Promise<Counts> {
  return new Map([["bought", Float32Array.from(await run(new PurchaseCounter(items)))]]);
}

function boughtOf(counts: Counts): Float64Array {
  return Float64Array.from(counts.get("bought")!);
}

function countBaseline<C>(method: CountMethod<C>): ItemScoringMethod<C> {
  return {
    name: method.name,
    summary: method.summary,
    Config: method.Config,
    scoreUnit: "weight",
    bytesInParts: (sizes, config) => countingBytes(sizes, method.plan(sizes, config)),
    train: (input, config) => trainCounts(method, input, config),
    async load(_device, folder) {
      const { num_items: items } = await readJson(`${folder}/config.json`, CountShape);
      const { path, tensors } = await readWeights(folder);
      const counts = new Map(Array.from(tensors, ([name, { data }]) => [name, data]));
      const none = await method.count(
        (counter) => Promise.resolve(countHeld([], counter)),
        items,
        method.Config.parse({}),
      );
      checkCounts(counts, [...none.keys()], items, path);
      return countedBaseline(method.scorer(counts), items);
    },
  };
}

/** One pass of counting is the whole run, so that a resumed one counts again: same data, same bytes. */
async function trainCounts<C>(
  method: CountMethod<C>,
  input: BaselineInput,
  config: C,
): Promise<BaselineResult> {
  const { dataset, run, resume, signal, parts } = input;
  input.rehearsed?.(0); // nothing of it is on the device
  await using kept = input.goOn && await openCount(run.path, input.goOn, signal);
  const items = dataset.items.length;
  const fresh = freshState();
  let samples = dataset.samples.train.length;
  let counted: (() => WorkState<CountState>) | undefined;
  const counts = await method.count(
    async (counter) => {
      if (!parts) return countHeld(dataset.samples.train, counter);
      const { result, ...found } = await countInParts((before) => parts("train", before), counter, kept);
      [samples, counted] = [found.samples, found.state];
      return result;
    },
    items,
    config,
  );
  if (samples === 0) {
    throw new UserError(`Cannot count purchases of ${dataset.name}: its train split is empty`);
  }
  const store = new RunStore({
    run,
    resume,
    openObserver: input.openObserver,
    load: () => Promise.resolve(fresh),
    files: () => countFiles({ model_type: method.name, num_items: items }, counts),
  });
  const { stopped, steps, seconds, state: { best } } = await train<TrainingState, Measured>({
    fresh,
    patience: 0,
    signal,
    store,
    plan: {
      isOver: (steps) => steps === 1,
      isLog: () => false,
      isEvaluation: () => false,
      isSave: () => false,
    },
    onStart: () =>
      input.onStart?.({
        parameters: [...counts.values()].reduce((sum, { length }) => sum + length, 0),
        sequences: samples,
        targets: samples,
        steps: 1,
        done: 0,
      }),
    step: () => input.onStep?.(1),
    log: ({ step, seconds }) => store.log(step, { epoch: 1, seconds: round(seconds, 1) }),
    validate: () => {
      const valid = (before: PartsBefore) => parts?.("valid", before) ?? once(dataset.samples.valid);
      const scorer = method.scorer(counts);
      return validated((rankOf) => rankInParts(valid, rankOf, kept, counted), scorer);
    },
    onValidation: (_, found, best) => input.onEpoch?.({ epoch: 1, valid: found?.valid, best }),
  });
  return { stopped, steps, best: best && { score: best.score, step: best.step }, seconds };
}

async function* countFiles(
  shape: z.output<typeof CountShape>,
  counts: Counts,
): AsyncGenerator<{ name: string; bytes: string | PieceFile }> {
  yield { name: "config.json", bytes: JSON.stringify(shape, null, 2) + "\n" };
  const shapes = Array.from(counts, ([name, { length }]) => ({ name, shape: [length] }));
  const parts = async function* () {
    for (const [name, data] of counts) {
      for (let from = 0; from < data.length || from === 0; from += PART) {
        yield await Promise.resolve({ name, from, data: new Float32Array(data.subarray(from, from + PART)) });
      }
    }
  };
  yield { name: "model.safetensors", bytes: safetensorsPieces(shapes, parts()) };
}

/** A validation, as the loop sees it. */
interface Measured extends Validated {
  valid: { hr10: number; ndcg10: number };
}

async function validated(
  ranksBy: (rankOf: (sample: CountedSample) => number | null) => Promise<(number | null)[]>,
  scorer: Scorer,
): Promise<Measured | undefined> {
  const ranks = await ranksBy(({ history, target }) => {
    const rank = scorer.rank(history, 10).items.indexOf(target);
    return rank < 0 ? null : rank;
  });
  if (ranks.length === 0) return undefined;
  const ndcg10 = mean(ndcgAtK(ranks, 10));
  return { score: ndcg10, valid: { hr10: mean(hitsAtK(ranks, 10)), ndcg10 } };
}

function countedBaseline(scorer: Scorer, items: number): TrainedBaseline {
  const check = (history: readonly number[]) => {
    const wrong = history.find((item) => !(Number.isInteger(item) && item >= 0 && item < items));
    if (wrong === undefined) return history;
    throw new UserError(
      `Cannot score items for a history with item ${wrong}: the counts are of the items 0 to ${items - 1}`,
    );
  };
  return {
    items,
    scores: async (history) => await catalogueScores(scorer, check(history), items),
    async *scoreAll(histories) {
      for (const history of histories) yield catalogueScores(scorer, check(history), items);
    },
    rank: async (histories, k) => await histories.map((history) => scorer.rank(check(history), k)),
    destroy() {},
  };
}

function checkCounts(counts: Counts, names: readonly string[], items: number, path: string): void {
  let entries = 0;
  for (const length of counts.get("row_lengths") ?? []) entries += length;
  for (const name of names) {
    const expected = name === "bought" || name === "row_lengths" ? items : entries;
    const found = counts.get(name)?.length;
    if (found !== undefined && found === expected) continue;
    throw new UserError(
      `Cannot read ${path}: it has ${
        found ?? "no"
      } numbers named ${name}, expected ${expected}. Train it again`,
    );
  }
}
