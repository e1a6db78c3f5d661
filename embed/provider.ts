import type { ReadFiles } from "../base/files/disk.ts";
import type { SettingsSchema } from "../base/settings.ts";
import type { Device } from "../kernels/gpu/device.ts";
import type { Layout } from "../kernels/gpu/tensor.ts";

/** What a provider may use of the outside; nothing is opened before it is asked for. */
export interface EmbeddingContext extends ReadFiles {
  /** The device that kernels run on; `layout` where matrices may outgrow textures. */
  device(layout?: Layout): Promise<Device>;
}

/** Turns texts into vectors. */
export interface TextEmbedder {
  /** Numbers a vector, D; at most so many with `wholeCorpus`. */
  readonly dim: number;
  /**
   * Whether the vector of a text depends on the other texts, as in everything that counts words or removes a common
   * component: then `embed` wants all texts in one call. Else they come in batches, and a stopped run resumes.
   */
  readonly wholeCorpus: boolean;
  /**
   * texts (N) -> vectors (N, D), row after row, finite numbers. The same texts, settings and adapter give the same
   * bytes. `onProgress` gets units of work done, of a total.
   */
  embed(
    texts: readonly string[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<Float32Array<ArrayBuffer>>;
  /** Gives memory back. */
  close(): void;
}

/** A way to embed texts: one module and one line in `registry.ts`. */
export interface TextProvider<C = unknown> {
  /** What vectors are made of. */
  readonly input: "text";
  /** Name on the command line. */
  readonly name: string;
  /** Whether its setting `model` may name a run that reads text, or a GGUF file: the caller says where its weights are. */
  readonly takesRuns?: true;
  /** Whether its model lies on the device, so that its memory can be counted before it is loaded. */
  readonly onDevice?: true;
  /** Settings with defaults and descriptions; providers share the names of settings that mean the same. */
  readonly Config: SettingsSchema<C>;
  /** Loads what embedding needs. Throws `UserError` for files and settings that cannot work. */
  open(context: EmbeddingContext, config: C): Promise<TextEmbedder>;
}

/** What users did in the train period. */
export interface ItemHistories {
  /** Items of the catalogue, N. */
  items: number;
  /** Item numbers that each user bought in the train period, oldest first. */
  histories: readonly (readonly number[])[];
}

/** Vectors of a catalogue. */
export interface ItemVectors {
  /** Numbers a vector, D. */
  dim: number;
  /** (N, D), row after row; 0 for items that nothing is known about. */
  data: Float32Array<ArrayBuffer>;
}

/** A way to embed items by what they are bought with: one module and one line in `registry.ts`. */
export interface HistoryProvider<C = unknown> {
  /** What vectors are made of. */
  readonly input: "histories";
  /** Name on the command line. */
  readonly name: string;
  /** Settings with defaults and descriptions. */
  readonly Config: SettingsSchema<C>;
  /** Throws `UserError` where the histories are too few for the settings. The same input gives the same bytes. */
  embed(
    context: EmbeddingContext,
    input: ItemHistories,
    config: C,
    onProgress?: (done: number, total: number) => void,
  ): Promise<ItemVectors>;
}

/** A way to take vectors that were made elsewhere: one module and one line in `registry.ts`. */
export interface FileProvider<C = unknown> {
  /** Where vectors come from. */
  readonly input: "file";
  /** Name on the command line. */
  readonly name: string;
  /** Settings with defaults and descriptions. */
  readonly Config: SettingsSchema<C>;
  /** Vectors of the items with these ids, in this order. Throws `UserError` for files that do not have them all. */
  load(files: ReadFiles, ids: readonly string[], config: C): Promise<ItemVectors>;
}

/** Any line of `registry.ts`. */
export type EmbeddingProvider<C = unknown> = TextProvider<C> | HistoryProvider<C> | FileProvider<C>;
