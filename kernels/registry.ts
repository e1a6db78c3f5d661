// One line a kernel; read by tests and bench only.
export { attentionSpec } from "./attention_spec.ts";
export { matmulAtSpec, matmulBtSpec, matmulSpec } from "./matmul_spec.ts";
export { spec as rmsNorm } from "./rms_norm.ts";
