import { PhiloxStream } from "../../base/philox.ts";

/** C = A B, a (m, k), b (k, n). */
export interface MatmulWorkload {
  kind: "matmul";
  m: number;
  k: number;
  n: number;
}

/** Causal attention over sequences that lie end to end; with `backward` also the gradients of q, k and v. */
export interface AttentionWorkload {
  kind: "attention";
  lengths: number[];
  heads: number;
  headDim: number;
  backward: boolean;
}

/** One training step of a decoder: forward, backward, clip, AdamW. */
export interface StepWorkload {
  kind: "step";
  width: number;
  layers: number;
  heads: number;
  intermediate: number;
  vocabulary: number;
  lengths: number[];
}

export type BenchWorkload = MatmulWorkload | AttentionWorkload | StepWorkload;

/** What a contender read back: row-major arrays, packed rows (T, heads * headDim) in attention, `losses` in a step. */
export type Outputs = Record<string, ArrayLike<number>>;

/** Settings of the optimizer in every contender's training step. */
export const OPTIMIZER = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
} as const;
export const NORM_EPS = 1e-6;
export const ROPE_THETA = 10000;
/** Losses that a contender reports for the check: before any update, and after each but the last step. */
export const CHECKED_STEPS = 3;

const SEED = 7;

/** `count` numbers in [-scale, scale), the same in every process. */
export function randomArray(name: string, count: number, scale: number): Float32Array {
  const stream = new PhiloxStream(SEED, name);
  return Float32Array.from({ length: count }, () => (2 * stream.uniform() - 1) * scale);
}

export function matmulInputs({ m, k, n }: MatmulWorkload): { a: Float32Array; b: Float32Array } {
  return { a: randomArray("a", m * k, 1), b: randomArray("b", k * n, 1) };
}

/** q, k, v and the gradient dO, each packed (T, heads * headDim). */
export function attentionInputs({ lengths, heads, headDim }: AttentionWorkload) {
  const size = total(lengths) * heads * headDim;
  return {
    q: randomArray("q", size, 2),
    k: randomArray("k", size, 2),
    v: randomArray("v", size, 1),
    dO: randomArray("dO", size, 1),
  };
}

/** Sequence lengths from 4 to 36, mean 20, that sum to exactly `tokens`. */
export function raggedLengths(tokens: number): number[] {
  const stream = new PhiloxStream(SEED, "lengths");
  const lengths: number[] = [];
  let left = tokens;
  while (left > 0) {
    const length = Math.min(4 + stream.below(33), left);
    lengths.push(length);
    left -= length;
  }
  return lengths;
}

export function total(lengths: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + length, 0);
}

/** A sequence and its targets: after every third token a fixed function of that token is asked for. */
export interface StepSequence {
  tokens: Uint32Array;
  targets: { at: number; token: number; weight: number }[];
}

export function stepSequences({ lengths, vocabulary }: StepWorkload): StepSequence[] {
  const stream = new PhiloxStream(SEED, "tokens");
  return lengths.map((length) => {
    const tokens = Uint32Array.from({ length }, () => stream.below(vocabulary));
    const targets: StepSequence["targets"] = [];
    for (let at = 2; at < length; at += 3) {
      targets.push({ at, token: (7 * tokens[at] + 3) % vocabulary, weight: 1 });
    }
    return { tokens, targets };
  });
}

/** Initial parameters under Hugging Face names; linear weights are (out, in). */
export function stepParameters(step: StepWorkload): Map<string, { shape: number[]; data: Float32Array }> {
  const { width, layers, intermediate, vocabulary } = step;
  const parameters = new Map<string, { shape: number[]; data: Float32Array }>();
  const weight = (name: string, rows: number, cols: number) =>
    parameters.set(name, { shape: [rows, cols], data: randomArray(name, rows * cols, 0.04) });
  const gain = (name: string) =>
    parameters.set(name, { shape: [width], data: new Float32Array(width).fill(1) });
  weight("model.embed_tokens.weight", vocabulary, width);
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `model.layers.${layer}.`;
    gain(prefix + "input_layernorm.weight");
    for (const part of ["q_proj", "k_proj", "v_proj", "o_proj"]) {
      weight(`${prefix}self_attn.${part}.weight`, width, width);
    }
    gain(prefix + "post_attention_layernorm.weight");
    weight(prefix + "mlp.gate_proj.weight", intermediate, width);
    weight(prefix + "mlp.up_proj.weight", intermediate, width);
    weight(prefix + "mlp.down_proj.weight", width, intermediate);
  }
  gain("model.norm.weight");
  weight("lm_head.weight", vocabulary, width);
  return parameters;
}

/** The four-layer decoder of the training-step rows; the gated unit has as many weights as a plain one of 4 * width. */
export function stepWorkload(width: number): StepWorkload {
  return {
    kind: "step",
    width,
    layers: 4,
    heads: 4,
    intermediate: Math.ceil(8 * width / 3 / 8) * 8,
    vocabulary: 576,
    lengths: raggedLengths(2048),
  };
}

/** Multiply-adds of one run times two; the training step counts its matrix products, backward as twice forward. */
export function flops(workload: BenchWorkload): number {
  if (workload.kind === "matmul") return 2 * workload.m * workload.k * workload.n;
  if (workload.kind === "attention") {
    const pairs = workload.lengths.reduce((sum, length) => sum + length * (length + 1) / 2, 0);
    return (workload.backward ? 14 : 4) * pairs * workload.heads * workload.headDim;
  }
  const { width, layers, intermediate, vocabulary, lengths } = workload;
  const rows = lengths.reduce((sum, length) => sum + Math.floor(length / 3), 0);
  return 6 * (total(lengths) * layers * (4 * width * width + 3 * width * intermediate) +
    rows * vocabulary * width);
}
