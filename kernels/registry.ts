// One line a kernel; read by tests and bench only.
export { addSpec, scaleSpec } from "./add.ts";
export { spec as addRmsNorm } from "./add_rms_norm.ts";
export { attentionSpec } from "./attention_spec.ts";
export { spec as columnSum } from "./column_sum.ts";
export { matmulAtSpec, matmulBtSpec, matmulSpec } from "./matmul_spec.ts";
export { spec as qkNorm } from "./qk_norm.ts";
export { spec as rmsNorm } from "./rms_norm.ts";
export { rmsNormGainSpec } from "./rms_norm_gain_spec.ts";
export { spec as rotary } from "./rotary.ts";
export { spec as swiglu } from "./swiglu.ts";
export { spec as embed } from "./embedding.ts";
export { spec as gatherRows } from "./gather_rows.ts";
export { spec as refresh } from "./refresh.ts";
export { spec as branchAppend } from "./branch_cache.ts";
export { spec as crossEntropy } from "./cross_entropy_spec.ts";
export { spec as sumFlat } from "./sum.ts";
