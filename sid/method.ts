import type { SettingsSchema } from "../base/settings.ts";
import type { Device } from "../kernels/gpu/device.ts";
import type { SavedFile } from "../models/hugging_face/saved_file.ts";
import type { TensorMap } from "../models/parameters/parameters.ts";
import type { TrainingStore } from "../models/training/loop.ts";
import type { TrainingState } from "../models/training/state.ts";
import type { LastLevel } from "./collisions/policy.ts";
import type { Embeddings } from "./embeddings.ts";

/** What SIDs are made from. */
export interface SidInput {
  /** Vectors that the codes describe: semantic, collaborative, or both joined. */
  embeddings: Embeddings;
  /** Collaborative vectors of the same items, for methods that align with them instead of coding them. */
  collaborative?: Embeddings;
  /** Item numbers that each user bought in the train period, oldest first, for methods that read co-occurrence. */
  histories?: readonly (readonly number[])[];
}

/** Inputs beyond the embeddings that a method may need. */
export type SidExtraInput = Exclude<keyof SidInput, "embeddings">;

/** Codes of items. Item n has codes[n * levels] to codes[n * levels + levels - 1]. */
export interface SidCodes {
  /** (N, L), row after row: codewords from 0. */
  codes: Uint16Array<ArrayBuffer>;
  /** Levels, L. */
  levels: number;
  /**
   * Reconstruction error by level: mean over items and embedding dimensions of the squared difference between an
   * embedding and what its first l + 1 codes say about it.
   */
  errors: number[];
  /** What the last level chose between, and with what codewords: how far an item is from any other last code. */
  lastLevel: LastLevel;
}

/** What a method learned: all that it takes to code other items. */
export interface SidModel {
  /** Codewords of each level, L numbers. */
  codebookSizes: number[];
  /** Codebooks as `codebook.0` … (K, D') and whatever else the method needs, by name. */
  tensors: TensorMap;
}

/** Codes of the items that a method learned from, and what it learned. */
export interface SidFit extends SidCodes {
  /** Codebooks and weights. */
  model: SidModel;
  /** Weights of the best moments of training by name, such as `best-loss`, where there is more than one to choose from. */
  checkpoints?: Record<string, TensorMap>;
  /** Facts about the fit for the report, such as the epoch that was kept; JSON values. */
  notes?: Record<string, unknown>;
}

/** State of a running fit. */
export interface SidProgress {
  /** Units of work done, of `total`. */
  done: number;
  /** Upper bound: a fit that converges early jumps. */
  total: number;
  /** Where it is, for people: "level 2, error 1.2e-3". */
  state: string;
  /** Most bytes that the fit keeps in the process beside the device: weights of its best epochs. Absent: hardly any. */
  kept?: number;
}

/** What a fit that trains leaves behind, so that one that was stopped goes on as if it had not been. */
export interface KeptFit {
  /** Files that hold all it goes on from, one after the other. */
  files(state: TrainingState): AsyncIterable<SavedFile>;
  /** Goes on from the files in a folder; `read` reads one. Throws `UserError` for files that are damaged. */
  load(folder: string, read: (path: string) => Promise<Uint8Array<ArrayBuffer>>): Promise<TrainingState>;
}

/** Opens where a fit is kept and logged. */
export type OpenFitStore = (kept: KeptFit) => TrainingStore<TrainingState>;

/** A way to make SIDs of item embeddings: one module and one line in `registry.ts`. */
export interface SidMethod<C = unknown> {
  /** Name on the command line. */
  readonly name: string;
  /** Settings with defaults and descriptions. */
  readonly Config: SettingsSchema<C>;
  /** Whether it trains step by step, so that it can be logged, stopped and gone on with. */
  readonly trains?: boolean;
  /** Inputs that it cannot do without, besides the embeddings. */
  readonly needs?: readonly SidExtraInput[];
  /**
   * Learns codebooks and codes the items with them. The same input, settings and adapter give the same bytes.
   * May be stopped by throwing from `onProgress`. One that trains is kept in what `openStore` opens, if anything.
   * @throws {UserError} if the input cannot be coded: fewer items than codewords, numbers that are not finite.
   */
  fit(
    device: Device,
    input: SidInput,
    config: C,
    onProgress?: (progress: SidProgress) => void,
    openStore?: OpenFitStore,
  ): Promise<SidFit>;
  /**
   * A fit that holds as much on the device, where `fit` works long on the host before it reports for the first time: what
   * memory is counted by.
   */
  readonly rehearse?: SidMethod<C>["fit"];
  /**
   * Codes items, such as new ones, with what `fit` learned; nothing is learned from them. Methods that balance or
   * bound their clusters do so in `fit` alone: here every item gets its nearest codewords.
   * @throws {UserError} if the embeddings have another width than those of `fit`, or numbers that are not finite.
   */
  encode(device: Device, embeddings: Embeddings, model: SidModel, config: C): Promise<SidCodes>;
}
