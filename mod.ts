/**
 * Generative recommendation on WebGPU: items become semantic IDs (SIDs), a decoder learns to write the SID of the next
 * item, and beam search writes only SIDs that exist. README.md has the command line.
 *
 * ```ts ignore
 * import { buildTrie, Device, loadDataset, SidVocabulary } from "@genrec/genrec";
 *
 * const device = await Device.open();
 * const dataset = await loadDataset("data/mine");
 * const vocabulary = SidVocabulary.fromSids(dataset.sids!);
 * const trie = buildTrie(dataset.sids!.map((sid) => vocabulary.encode(sid)));
 * ```
 * @module
 */

export { checkDataset, type CheckedDataset, type CheckReport } from "./data/check/check.ts";
export type {
  Attributes,
  Corpus,
  CorpusItem,
  CorpusSample,
  CorpusUser,
  Interactions,
  SplitKind,
} from "./data/corpus.ts";
export { toDataset } from "./data/corpus_dataset.ts";
export {
  type Dataset,
  type Item,
  type Sample,
  type Split,
  splits,
  type UserHistory,
} from "./data/dataset.ts";
export { EMBEDDING_DIM, embeddings } from "./data/synthetic/word_embeddings.ts";
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
} from "./data/formats/index_file.ts";
export { loadCorpus, loadDataset } from "./data/formats/load.ts";
export { readResults, type ResultRow } from "./data/result_files/read.ts";
export type { RlExample, RlExamples } from "./data/packing/rl_examples.ts";
export { type NpyMatrix, type NumpyArray, readMatrix, readNpy, writeNpy } from "./base/npy.ts";
export { diskFiles, type ReadFiles } from "./base/files/disk.ts";
export type { SettingsSchema } from "./base/settings.ts";
export type { BySplit, DatasetStatistics, SidStatistics } from "./data/statistics.ts";
export { syntheticDataset, type SyntheticOptions } from "./data/synthetic/shop.ts";
export { UserError } from "./base/user_error.ts";

export { ATTENTION, type AttentionPass, type AttentionShape } from "./kernels/attention/attention.ts";
export type { AttentionKernels, AttentionVariant } from "./kernels/attention/variant.ts";
export { Device, type DeviceMemory, type DeviceOptions } from "./kernels/gpu/device.ts";
export { MATMUL, type MatmulShape } from "./kernels/matmul/matmul.ts";
export type { MatmulForm, MatmulVariant } from "./kernels/matmul/variant.ts";
export { DeviceError } from "./kernels/gpu/device_error.ts";
export type { TokenOccurrences } from "./kernels/rows/embedding.ts";
export type { RowBlock } from "./kernels/rows/gather.ts";
export type { BlockRows } from "./kernels/rows/keep_blocks.ts";
export type { Dispatch, Kernel } from "./kernels/gpu/kernel.ts";
export { Tape } from "./kernels/tape.ts";
export type { ProfileRow } from "./kernels/gpu/profiler.ts";
export { KL_ESTIMATORS, POLICY_RATIOS, type PolicyObjective } from "./kernels/policy/loss.ts";
export type { Flat, Layout, Matrix, MatrixDtype, Tensor } from "./kernels/gpu/tensor.ts";
export type { SampleShape } from "./kernels/trie/sample.ts";
export { TOKEN_NORMALISATIONS, type TokenNormalisation, type TrieEdges } from "./kernels/trie/log_softmax.ts";
export {
  type ChoiceStore,
  type Operation,
  type PinnedVariant,
  type Variant,
  variantOf,
  type VariantRow,
  Variants,
} from "./kernels/gpu/variants.ts";
export type { TunableOperation, Workload } from "./kernels/gpu/workload.ts";
export { parseVariants } from "./kernels/variant_names.ts";

export {
  type CatalogueInput,
  type CatalogueReport,
  type CollisionGroup,
  type MovedItem,
  type NamedItem,
  type NeighbourExample,
  reportCatalogue,
} from "./sid/report/catalogue.ts";
export type { Cluster } from "./sid/report/cluster_names.ts";
export { collidingGroups } from "./sid/collisions/groups.ts";
export type {
  CodeChange,
  Codes,
  CollisionPolicy,
  LastLevel,
  ResolvedCodes,
} from "./sid/collisions/policy.ts";
export { COLLISION_POLICIES, collisionPolicy } from "./sid/collisions/by_name.ts";
export type { Embeddings } from "./sid/embeddings.ts";
export { concatenate, type Part as EmbeddingPart } from "./sid/fuse.ts";
export { htmlReport, type SidReportFile } from "./sid/report/html.ts";
export type { ItemMap } from "./sid/report/item_map.ts";
export { letter, type LetterConfig } from "./sid/methods/letter.ts";
export type {
  SidCodes,
  SidExtraInput,
  SidFit,
  SidInput,
  SidMethod,
  SidModel,
  SidProgress,
} from "./sid/method.ts";
export { type Neighbour, PrefixIndex, type PrefixNeighbours } from "./sid/report/neighbours.ts";
export { type PlacedItem, type Placement, placeNewItems } from "./sid/methods/place_new.ts";
export type { NextItemPrompts } from "./prompts/next_item.ts";
export type { Asker } from "./data/dataset.ts";
export { ItemTexts } from "./prompts/rows/item_texts.ts";
export { ALIGNMENT_TASKS, alignmentTask } from "./prompts/tasks/by_name.ts";
export type { TaskRange } from "./prompts/rows/mix.ts";
export type { TaskPlanOptions } from "./prompts/rows/task_plan.ts";
export {
  type AlignmentOptions,
  type AlignmentSource,
  alignmentSource,
  LONG_SEQUENCES,
  type LongSequences,
  LOSS_NORMALISATIONS,
  type LossNormalisation,
  type TaskReport,
} from "./prompts/rows/source.ts";
export type {
  AlignmentTask,
  Example,
  Examples,
  NextItemTask,
  Slots,
  TaskInput,
} from "./prompts/tasks/task.ts";
export type { Preference } from "./data/preferences.ts";
export type { Capacity, PackedBatch } from "./data/packing/batches.ts";
export type { PackInput } from "./data/packing/sequences.ts";
export type { SequenceSource } from "./data/packing/sequence_source.ts";
export type { SftTextRow } from "./data/formats/mimigenrec/sft_rows.ts";
export { type EncodeOptions, Tokenizer } from "./models/tokenizer/tokenizer.ts";
export type { SpecialTokens, TokenizerConfig } from "./models/tokenizer/config.ts";
export { genrecTemplates } from "./prompts/built_in.ts";
export { Prompts, type PromptsOptions } from "./prompts/prompts.ts";
export {
  type CompleteTemplates,
  type FrameTemplate,
  parseTemplates,
  type TaskTemplate,
  type Templates,
} from "./prompts/template.ts";
export { textPrompts } from "./prompts/text.ts";
export type { TextPromptsOptions } from "./prompts/text_options.ts";
export { sidPrompts } from "./prompts/sids.ts";
export type { PrefixPurity } from "./sid/report/purity.ts";
export { type LevelReport, reportSids, type SidReport } from "./sid/statistics.ts";
export { opq, type OpqConfig } from "./sid/methods/opq.ts";
export { rqKmeans, type RqKmeansConfig } from "./sid/methods/rq_kmeans.ts";
export { rqKmeansBalanced, type RqKmeansBalancedConfig } from "./sid/methods/rq_kmeans_balanced.ts";
export { rqKmeansConstrained, type RqKmeansConstrainedConfig } from "./sid/methods/rq_kmeans_constrained.ts";
export { rqKmeansPlus, type RqKmeansPlusConfig } from "./sid/methods/rq_kmeans_plus.ts";
export {
  CODEBOOK_STARTS,
  type CodebookStart,
  CRITERIA,
  type Criterion,
  type QuantizerConfig,
} from "./sid/quantizer/config.ts";
export { VECTOR_SCALINGS, type VectorScaling } from "./sid/normalize.ts";
export { RECONSTRUCTION_LOSSES, type ReconstructionLoss } from "./kernels/quantizer/reconstruction.ts";
export { rvq, type RvqConfig } from "./sid/methods/rvq.ts";
export { rqVae, type RqVaeConfig } from "./sid/methods/rq_vae.ts";
export { rqVaeV2, type RqVaeV2Config } from "./sid/methods/rq_vae_v2.ts";
export {
  type CodeToken,
  formatSid,
  formatToken,
  parseToken,
  SidVocabulary,
  type SidVocabularyJson,
} from "./sid/tokens.ts";
export { buildTrie, Trie } from "./sid/trie.ts";

export { type CollaborativeConfig, collaborativeProvider } from "./embed/collaborative.ts";
export type {
  EmbeddingContext,
  HistoryProvider,
  ItemHistories,
  ItemVectors,
  TextEmbedder,
  TextProvider,
} from "./embed/provider.ts";
export { type StaticConfig, type StaticEngine, staticProvider } from "./embed/static.ts";
export { MODEL_TYPES, type ModelType } from "./models/decoder/shapes/by_name.ts";
export {
  type DecoderConfig,
  parseDecoderConfig,
  readDecoderConfig,
  writeDecoderConfig,
} from "./models/decoder/config.ts";
export { type ModelFile, Pretrained } from "./models/hugging_face/pretrained.ts";
export type { ModelFiles } from "./models/hugging_face/weight_files.ts";
export type {
  Llama3RopeScaling,
  RopeScaling,
  UniformRopeScaling,
  YarnRopeScaling,
} from "./models/decoder/rope.ts";
export { savePretrained, type SavePretrainedOptions } from "./models/hugging_face/save_pretrained.ts";
export type { DecodeModel, DecodeSession } from "./models/decoder/decode.ts";
export {
  Decoder,
  type DecoderDropout,
  type DecoderLoadOptions,
  type DecoderOptions,
} from "./models/decoder/decoder.ts";
export type { AttendLayer } from "./models/decoder/blocks.ts";
export {
  EncoderDecoder,
  type EncoderDecoderOptions,
  type OutputHead,
} from "./models/encoder_decoder/encoder_decoder.ts";
export type { Stack, StackAttention, StackDropout } from "./models/encoder_decoder/blocks.ts";
export type { Visible } from "./models/encoder_decoder/layers.ts";
export type { AttentionDropout } from "./kernels/relative_attention/relative_attention.ts";
export {
  ENCODER_DECODER_TYPE,
  type EncoderDecoderConfig,
  parseEncoderDecoderConfig,
  writeEncoderDecoderConfig,
} from "./models/encoder_decoder/config.ts";
export {
  type HeadRows,
  type PackedPairs,
  PackedPairsBuffer,
  type PairCapacity,
  type PairCompletion,
  type PairGroup,
  type PairModel,
  type StackRows,
  type TokenSpan,
} from "./models/packing/packed_pairs.ts";
export { Lora, LORA_TARGETS, type LoraAdapter, type LoraOptions } from "./models/parameters/lora.ts";
export { mergeLora, type NamedTensor } from "./models/parameters/merge_lora.ts";
export { peftAdapterFiles, type PeftOptions, readPeftConfig } from "./models/hugging_face/peft_adapter.ts";
export {
  createTrieLossScratch,
  destroyTrieLossScratch,
  type TrieLossOptions,
  type TrieLossScratch,
} from "./models/losses/trie_loss.ts";
export type { PackedRows, PackedTokens } from "./models/packing/packed_tokens.ts";
export {
  Parameters,
  type ParameterSegment,
  type TensorMap,
  type WeightBlock,
  type Weights,
} from "./models/parameters/parameters.ts";
export type { ParameterPart, ParameterSpec } from "./models/parameters/spec.ts";
export type { TensorSource } from "./models/parameters/frozen.ts";
export type { HostTensor } from "./models/parameters/parts.ts";
export {
  findNonFinite,
  readSafetensors,
  readSafetensorsMetadata,
  type SafetensorsOptions,
  SafetensorsWriter,
  type StoredTensor,
  type TensorShape,
  writeSafetensors,
} from "./models/safetensors/safetensors.ts";
export type { StoredFormat } from "./models/safetensors/header.ts";

export type { LossOptions, LossRows } from "./models/losses/vocabulary_loss.ts";

export {
  markovChainScorer,
  popularityScorer,
  repeatRecentScorer,
  type Scorer,
  transitionScorer,
} from "./eval/count_scorers.ts";
export { type BeamResult, BeamSearch, beamSearch, type BeamSearchOptions } from "./decode/beam_search.ts";
export {
  ConstrainedSampler,
  type SamplePlace,
  type SampleResult,
  type SamplerOptions,
} from "./decode/constrained_sampler.ts";
export { DeviceTrie } from "./decode/device_trie.ts";
export {
  type CompareOptions,
  compareRanks,
  type Comparison,
  type MetricDifference,
  type RankMetric,
  type SummaryDifference,
  userMeans,
  type UserRanks,
} from "./eval/compare.ts";
export {
  type Credit,
  type EvaluateOptions,
  evaluateSplit,
  type Evaluation,
  Measurement,
  type MeasurementOptions,
  type Prediction,
  type Summary,
} from "./eval/evaluate.ts";
export { type Exposure, exposureGini } from "./eval/exposure.ts";
export { listedItems, type ScoredItem } from "./eval/item_lists.ts";
export {
  bootstrapInterval,
  type BootstrapOptions,
  DEFAULT_KS,
  hitsAtK,
  type Interval,
  ndcgAtK,
  type PairedDifference,
  pairedDifference,
  type Rank,
  type RankMetrics,
  rankMetrics,
} from "./eval/metrics.ts";
export { type SeedStatistics, seedStatistics } from "./eval/seed_statistics.ts";
export { mixRanked, MixtureMeasurement, type MixtureOptions } from "./eval/mixture.ts";
export {
  type Candidate,
  type Catalogue,
  type Provenance,
  rankBy,
  rankByCounts,
  type Ranked,
  type RankSamples,
  type Recommender,
  type RecommendOptions,
  type RecommendRequest,
  type ScoreUnit,
  type SidSearch,
} from "./eval/recommender.ts";
export { type Slicing, SLICINGS } from "./eval/slices.ts";
export { checkRows, type Score, type ScoreOptions, scoreResults } from "./eval/score.ts";

export { openRun } from "./train/runs/open_run.ts";
export type { OpenRunOptions } from "./train/runs/run_kind.ts";
export { BASELINES } from "./train/baselines/by_name.ts";
export type {
  BaselineEpoch,
  BaselineFacts,
  BaselineInput,
  BaselineMethod,
  BaselineResult,
  RankedItems,
  TrainedBaseline,
} from "./train/baselines/method.ts";
export type { Retrieval } from "./train/encoder_decoder/retrieval.ts";
export type { Best, TrainingState } from "./models/training/state.ts";
export type { Stopped } from "./models/training/loop.ts";
export { loadDecoder, type TrainerState } from "./train/run/checkpoint.ts";
export { DivergenceError } from "./train/run/divergence.ts";
export { RunDirectory, type RunFiles } from "./train/run/directory.ts";
export { type SftFacts, type SftInput, type SftResult, trainSft } from "./train/sft/sft.ts";
export type { MetricsObserver, ObserverContext } from "./train/observers/observer.ts";
export { openObservers, type ReportTo } from "./train/observers/open.ts";
export { type MicroBatch, PackedData, type PackingOptions } from "./train/run/packed_data.ts";
export { type DecoderInputs, sftDecoder } from "./train/sft/decoder.ts";
export { type ModelInputs, sidInputs } from "./train/sft/sid_inputs.ts";
export { type TextInputs, textInputs, type TextSettings } from "./train/sft/text_inputs.ts";
export { type ScheduleName, SCHEDULES } from "./models/optimizer/schedule.ts";
export { type SftConfig, sftConfig } from "./train/sft/config.ts";
export { Validation, type ValidationOptions, type ValidationResult } from "./train/run/validation.ts";
export { ADVANTAGE_SCALES, type AdvantageScale } from "./train/rl/advantages.ts";
export type { ObjectiveMethod, Reduction } from "./train/rl/objectives/objective.ts";
export { objectiveMethod, OBJECTIVES } from "./train/rl/objectives/by_name.ts";
export { parseRewards, rewardMethod, REWARDS, type WeightedReward } from "./train/rl/rewards/by_name.ts";
export type {
  Completion,
  Reward,
  RewardContext,
  RewardGroup,
  RewardMethod,
} from "./train/rl/rewards/reward.ts";
export { createRewards, type GroupScore, type RewardSet } from "./train/rl/reward_set.ts";
export type { RewardFunction } from "./train/rl/rewards/user_reward.ts";
export { type RlConfig, rlConfig } from "./train/rl/config.ts";
export type { Diagnostics } from "./train/rl/diagnostics.ts";
export type { CompletionGroup, GroupCapacity } from "./data/packing/group_batches.ts";
export { Optimizer, type OptimizerState } from "./models/optimizer/optimizer.ts";
export type { ActionValues } from "./models/packing/packed_groups.ts";
export type { PolicyOptions, PolicyScratch } from "./models/losses/policy_gradient.ts";
export {
  decoderPolicy,
  encoderDecoderPolicy,
  type PolicySettings,
  type PolicySource,
} from "./train/rl/policy/policies.ts";
export type {
  PackedAnswers,
  PolicyBatch,
  PolicyDropout,
  PolicyGroup,
  PolicyModel,
  PolicyPacking,
} from "./train/rl/policy/batch.ts";
export { adapterFreeReference, frozenReference, type ReferencePolicy } from "./train/rl/policy/reference.ts";
export type { RlState } from "./train/rl/state.ts";
export { type RlInput, type RlResult, type RlRunInput, trainRl } from "./train/rl/trainer.ts";
export { type Verdict, verdict } from "./train/rl/verdict.ts";
export { rlExamples, type RlRun, type RlTrainingSet } from "./train/rl/examples/examples.ts";
export type { RlExampleSettings } from "./train/rl/examples/settings.ts";
