import type { Stopped } from "../../models/training/loop.ts";
import type { CorpusSizes } from "../../data/cost/sizes.ts";
import type { PartsBefore } from "../../data/corpus_stream.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { SettingsSchema } from "../../base/settings.ts";
import type { RecommendOptions, ScoreUnit } from "../../eval/recommender.ts";
import type { CountedSample } from "../../eval/transition_counts.ts";
import type { World } from "../../base/parallel/world.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { StartReports } from "../observers/observer.ts";
import type { RunDirectory } from "../run/directory.ts";

/** Items for one history, best first. */
export interface RankedItems {
  /** Item numbers. */
  items: number[];
  /** As long, descending. */
  scores: number[];
}

/** A baseline that was trained and scores every item. */
export interface TrainedBaseline {
  /** Items of the catalogue that it was trained on, N. */
  readonly items: number;
  /**
   * The best k items for each history of item numbers, oldest first; equal scores in the order of item numbers, or as
   * the rules of the baseline say. `wait`: as {@link RecommendOptions.wait}.
   * @throws {UserError} for a history that names other items, or is empty where the model must read one.
   */
  rank(
    histories: readonly (readonly number[])[],
    k: number,
    wait?: RecommendOptions["wait"],
  ): Promise<RankedItems[]>;
  /** Scores of all items (N) for a history. Throws as `rank()`. */
  scores(history: readonly number[]): Promise<Float32Array>;
  /** {@link scores} of many histories, one list at a time. */
  scoreAll(histories: readonly (readonly number[])[]): AsyncIterable<Float32Array>;
  /** Vectors of the items (N, dim), row after row; absent where items have none. */
  embeddings?(): Promise<{ dim: number; data: Float32Array }>;
  /** Frees everything on the device. */
  destroy(): void;
}

/** What a baseline is trained on, and where it is kept. */
export interface BaselineInput {
  /** Device to train on. */
  device: Device;
  /** What is learned: its train histories, and its valid split for choosing the best checkpoint. */
  dataset: Dataset;
  /**
   * A split, or what follows on parts of it, to be gone through as often as wanted, where `dataset` does not hold them: for
   * methods that take them in parts.
   */
  parts?: (split: "train" | "valid", before?: PartsBefore) => AsyncIterable<readonly CountedSample[]>;
  /** How a count of {@link parts} goes on after a stop; absent: it starts anew. */
  goOn?: CountGoOn;
  /** Where metrics and checkpoints are written; `create()` it before, or in `onStart()`. */
  run: RunDirectory;
  /** Continue from the latest checkpoint of `run`, or from the start where there is none yet. */
  resume: boolean;
  /** Stops the run; what is lost is less than an epoch. */
  signal: AbortSignal;
  /** Ranks that train together, each with this input and a model of its own. Default: this one alone. */
  world?: World;
  /** Gets every line of `metrics.jsonl` too. */
  openObserver?: StartReports;
  /** Called once before the first step: all that the input gets wrong was thrown by then. */
  onStart?(facts: BaselineFacts): void | Promise<void>;
  /**
   * Of a training that is only counted, on a device that computes nothing: a step of each kind and a validation are
   * recorded, and this, which throws, is called instead of more, with the bytes of the process that a checkpoint takes.
   */
  rehearsed?(saving: number): never;
  /** Called as steps are recorded. */
  onStep?(step: number): void;
  /** Called after the validation of an epoch. */
  onEpoch?(epoch: BaselineEpoch): void;
}

/** By what a count that was stopped knows that it is the same one. */
export interface CountGoOn {
  /** Files that the samples come from. */
  files: readonly string[];
  /** What else it depends on, by what it is called. */
  of: Record<string, string>;
  /** Told what a user should know. */
  log(line: string): void;
}

/** Size of the work. */
export interface BaselineFacts {
  /** Numbers of the model. */
  parameters: number;
  /** Training sequences of an epoch. */
  sequences: number;
  /** Their targets. */
  targets: number;
  /** Steps of the whole run. */
  steps: number;
  /** Steps that were done before a resume. */
  done: number;
  /** SIDs that it has from its first step to its last; absent: none. */
  sids?: string[][];
}

/** An epoch and its validation: full ranking of the whole catalogue for every sample of the valid split. */
export interface BaselineEpoch {
  /** From 1. */
  epoch: number;
  /** Mean loss of a training target in nats; absent for counts, which have none. */
  loss?: number;
  /** Absent where the valid split is empty. */
  valid?: { hr10: number; ndcg10: number };
  /** Whether it is the best so far. */
  best: boolean;
}

/** How training ended. */
export interface BaselineResult {
  /** Why; `early`: validations stopped getting better. */
  stopped: Stopped;
  /** Steps of this call, those before a resume not counted. */
  steps: number;
  /** NDCG@10 on the valid split of the checkpoint that is kept, and its step; null where there was no validation. */
  best: { score: number; step: number } | null;
  /** Time of the whole run, resumed parts included. */
  seconds: number;
}

/** A line of the registry: a model that other recommenders are compared with. */
export interface BaselineMethod<C = unknown> {
  /** Name for `--model`. */
  readonly name: string;
  /** One line for help texts. */
  readonly summary: string;
  /** Settings with defaults and descriptions; methods share the names of settings that mean the same. */
  readonly Config: SettingsSchema<C>;
  /**
   * Trains and saves checkpoints, the best one by NDCG@10 of the valid split.
   * @throws {UserError} for settings and data that cannot work, and where losses are not finite.
   */
  train(input: BaselineInput, config: C): Promise<BaselineResult>;
  /** Whether several ranks share the micro batches of its steps; absent: it trains in one process. */
  readonly worksTogether?: true;
  /**
   * About how many bytes of the machine it takes with splits in parts, {@link BaselineInput.parts}; absent: it wants the whole
   * dataset.
   */
  bytesInParts?(sizes: CorpusSizes, config: C): number;
  /** What its scores are. */
  readonly scoreUnit: ScoreUnit;
  /**
   * Reads the folder of a checkpoint; absent where the model writes SIDs, so that its runs open as those of other models
   * that do. Throws {@link UserError} for files that are missing or damaged.
   */
  load?(device: Device, folder: string): Promise<TrainedBaseline>;
}

/** A baseline whose model scores every item. */
export type ItemScoringMethod<C = unknown> = BaselineMethod<C> & Required<Pick<BaselineMethod<C>, "load">>;
