/**
 * Kernels on WebGPU: the device, tensors, automatic differentiation and the choice of variants.
 * @module
 */

export { ATTENTION, type AttentionPass, type AttentionShape } from "./attention/attention.ts";
export type { AttentionKernels, AttentionVariant } from "./attention/variant.ts";
export { Device, type DeviceOptions } from "./gpu/device.ts";
export type { DeviceMemory } from "./gpu/memory.ts";
export type { ReadWait } from "./gpu/readback.ts";
export { DeviceError } from "./gpu/device_error.ts";
export type { Dispatch, Kernel, ShaderFeature } from "./gpu/kernel.ts";
export type { ProfileRow } from "./gpu/profiler.ts";
export type { Flat, Layout, Matrix, MatrixDtype, Tensor } from "./gpu/tensor.ts";
export {
  type ChoiceStore,
  type Operation,
  type PinnedVariant,
  type Variant,
  type VariantNeed,
  variantOf,
  type VariantRow,
  Variants,
} from "./gpu/variants.ts";
export type { TunableOperation, Workload } from "./gpu/workload.ts";
export type { RowLists } from "./loss/listwise_softmax.ts";
export type { SparseRows } from "./matmul/sparse.ts";
export type { Activation, Epilogue } from "./matmul/epilogue.ts";
export type { Int8Matrix } from "./matmul/int8/rows.ts";
export { MATMUL, type MatmulShape } from "./matmul/matmul.ts";
export type { MatmulForm, MatmulVariant } from "./matmul/variant.ts";
export { KL_ESTIMATORS, POLICY_RATIOS, type PolicyObjective } from "./policy/loss.ts";
export { RECONSTRUCTION_LOSSES, type ReconstructionLoss } from "./quantizer/reconstruction.ts";
export type { AttentionDropout } from "./relative_attention/relative_attention.ts";
export type { TokenOccurrences } from "./rows/embedding.ts";
export type { RowBlock } from "./rows/gather.ts";
export type { BlockRows } from "./rows/keep_blocks.ts";
export { Tape } from "./tape.ts";
export { TOKEN_NORMALISATIONS, type TokenNormalisation, type TrieEdges } from "./trie/log_softmax.ts";
export type { SampleShape } from "./trie/sample.ts";
export { parseVariants } from "./variant_names.ts";
