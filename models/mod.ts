/**
 * Models: decoders (Qwen2, Qwen3, Llama), T5, LoRA, tokenizers, safetensors, Hugging Face directories, AdamW.
 * @module
 */

export type { AttendLayer } from "./decoder/blocks.ts";
export {
  type DecoderConfig,
  parseDecoderConfig,
  readDecoderConfig,
  writeDecoderConfig,
} from "./decoder/config.ts";
export type { DecodeModel, DecodeSession } from "./decoder/decode.ts";
export {
  Decoder,
  type DecoderDropout,
  type DecoderLoadOptions,
  type DecoderOptions,
  HELD_FORMATS,
  type HeldFormat,
} from "./decoder/decoder.ts";
export type { Llama3RopeScaling, RopeScaling, UniformRopeScaling, YarnRopeScaling } from "./decoder/rope.ts";
export type { Stack, StackAttention, StackDropout } from "./encoder_decoder/blocks.ts";
export {
  type EncoderDecoderConfig,
  parseEncoderDecoderConfig,
  writeEncoderDecoderConfig,
} from "./encoder_decoder/config.ts";
export {
  EncoderDecoder,
  type EncoderDecoderOptions,
  type OutputHead,
} from "./encoder_decoder/encoder_decoder.ts";
export type { Visible } from "./encoder_decoder/layers.ts";
export { peftAdapterFiles, type PeftOptions, readPeftConfig } from "./hugging_face/peft_adapter.ts";
export { type ModelFile, Pretrained } from "./hugging_face/pretrained.ts";
export type { ModelFiles } from "./hugging_face/weight_files.ts";
export type { SavedFile } from "./hugging_face/saved_file.ts";
export {
  pretrainedFiles,
  savePretrained,
  type SavePretrainedOptions,
} from "./hugging_face/save_pretrained.ts";
export type { PolicyOptions, PolicyScratch } from "./losses/policy_gradient.ts";
export {
  createTrieLossScratch,
  destroyTrieLossScratch,
  type TrieLossOptions,
  type TrieLossScratch,
} from "./losses/trie_loss.ts";
export type { LossOptions, LossRows } from "./losses/vocabulary_loss.ts";
export {
  heldState,
  Optimizer,
  type OptimizerOptions,
  type OptimizerState,
  type StatePart,
  type StoredState,
} from "./optimizer/optimizer.ts";
export type { OptimName } from "./optimizer/rules/by_name.ts";
export type { UpdateOptions } from "./optimizer/rules/rule.ts";
export { type ScheduleName, SCHEDULES } from "./optimizer/schedule.ts";
export type { ActionValues } from "./packing/packed_groups.ts";
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
} from "./packing/packed_pairs.ts";
export type { PackedRows, PackedTokens } from "./packing/packed_tokens.ts";
export type { TensorSource } from "./parameters/frozen.ts";
export { Lora, LORA_TARGETS, type LoraAdapter, type LoraOptions } from "./parameters/lora.ts";
export { mergeLora, type NamedTensor } from "./parameters/merge_lora.ts";
export {
  Parameters,
  type ParameterSegment,
  type TensorMap,
  type TensorPiece,
  type TrainedBlock,
  type WeightBlock,
  type Weights,
} from "./parameters/parameters.ts";
export type { HostTensor } from "./parameters/parts.ts";
export type { ParameterPart, ParameterSpec } from "./parameters/spec.ts";
export type { StoredFormat } from "./safetensors/header.ts";
export {
  findNonFinite,
  readSafetensors,
  readSafetensorsMetadata,
  type SafetensorsOptions,
  SafetensorsWriter,
  type StoredTensor,
  type TensorPart,
  type TensorShape,
  writeSafetensors,
} from "./safetensors/safetensors.ts";
export type { SpecialTokens, TokenizerConfig } from "./tokenizer/config.ts";
export { type EncodeOptions, Tokenizer } from "./tokenizer/tokenizer.ts";
export { DECODER_SHAPES, MODEL_TYPES, type ModelType } from "./decoder/shapes/by_name.ts";
export { ENCODER_DECODER_TYPE } from "./encoder_decoder/config.ts";
export {
  type Stopped,
  type Timetable,
  train,
  type Training,
  type TrainingEnd,
  type TrainingStore,
  type Validated,
} from "./training/loop.ts";
export type { Best, TrainingState } from "./training/state.ts";
export type { DecoderShape } from "./decoder/shapes/shape.ts";
