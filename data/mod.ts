/**
 * Datasets: formats that are read and written, the built-in shop, checks, statistics, packing into batches.
 * @module
 */

export { checkDataset, type CheckReport } from "./check/check.ts";
export type { CheckedDataset } from "./check/stream.ts";
export type {
  Attributes,
  Corpus,
  CorpusItem,
  CorpusSample,
  CorpusUser,
  Interactions,
  SplitKind,
} from "./corpus.ts";
export { toDataset } from "./corpus_dataset.ts";
export type { PartsBefore } from "./corpus_stream.ts";
export {
  type Asker,
  type Dataset,
  type Item,
  type Sample,
  type Split,
  splits,
  type Told,
  type Turn,
  type UserHistory,
} from "./dataset.ts";
export {
  formatIndex,
  formatNewTokens,
  INDEX_STYLES,
  type IndexStyle,
  loadIndex,
  newTokens,
  offsetCodes,
  TOKEN_ORDERS,
  type TokenOrder,
} from "./formats/index_file.ts";
export { loadCorpus, loadDataset } from "./formats/load.ts";
export type { SftTextRow } from "./formats/mimigenrec/sft_rows.ts";
export type { Capacity, PackedBatch } from "./packing/batches.ts";
export type { CompletionGroup, GroupCapacity } from "./packing/group_batches.ts";
export type { RlExample, RlExamples } from "./packing/rl_examples.ts";
export type { SequenceSource } from "./packing/sequence_source.ts";
export type { PackInput } from "./packing/sequences.ts";
export type { Preference } from "./preferences.ts";
export { readResults, type ResultRow } from "./result_files/read.ts";
export type { CorpusSizes } from "./cost/sizes.ts";
export type { BySplit, DatasetStatistics, SidStatistics } from "./statistics.ts";
export { syntheticDataset, type SyntheticOptions } from "./synthetic/shop.ts";
export { EMBEDDING_DIM, embeddings } from "./synthetic/word_embeddings.ts";
