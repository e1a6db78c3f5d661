import type { AttentionDropout, RelativeShape } from "../../kernels/relative_attention/relative_attention.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { productSpec } from "../decoder/blocks.ts";
import type { EncoderDecoderConfig } from "./config.ts";
import { geluGated } from "./layers.ts";
import { drop, linear, norm, residualNorm } from "../layers/layers.ts";
import { relu } from "../layers/mlp.ts";
import type { Weights } from "../parameters/parameters.ts";
import type { ParameterSpec } from "../parameters/spec.ts";

/** One of the two stacks; the prefix of its parameters. */
export type Stack = "encoder" | "decoder";

/** Dropout of training, where T5 has it: on embeddings, attention weights, inside and after sub-layers, and on states. */
export interface StackDropout {
  /** In [0, 1). */
  rate: number;
  /** u32 [seed, micro batch of the step, step, unused]. */
  seed: Flat;
}

/** How a stack attends: keys are in the packed batch in training, in a cache in decoding. */
export interface StackAttention {
  /** qkv (T, q | k | v) of a layer -> (T, heads * d_kv). */
  self(layer: number, qkv: Matrix, dropout?: AttentionDropout): Matrix;
  /** q (T, heads * d_kv) of a layer of the decoder -> the same shape, from the encoder's rows. */
  cross?(layer: number, q: Matrix, dropout?: AttentionDropout): Matrix;
}

/** Heads of all attention. */
export function headsOf({ num_heads: heads, d_kv: headDim }: EncoderDecoderConfig): RelativeShape {
  return { heads, headDim };
}

/** Bias table (buckets, heads) of a stack: that of its first layer, which all its layers share. */
export function biasName(stack: Stack): string {
  return `${stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`;
}

/**
 * Bias table (buckets, heads) of cross-attention behind a causal encoder, shared by all layers: distances to the end of
 * what the decoder sees, which such an encoder cannot tell.
 */
export const CROSS_BIAS = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";

/** Keys and values (k | v) of the encoder's rows in a layer of the decoder. */
export function crossKeyValuesName(layer: number): string {
  return `decoder.block.${layer}.layer.1.EncDecAttention.kv.weight`;
}

function layersOf(stack: Stack, config: EncoderDecoderConfig): number {
  return stack === "encoder" ? config.num_layers : config.num_decoder_layers;
}

// Attention and feed-forward of a block, and the cross-attention of a decoder between them.
function sublayersOf(stack: Stack): number {
  return stack === "encoder" ? 2 : 3;
}

/**
 * A stack of T5 (Raffel et al. 2020, arXiv:1910.10683, section 2.1): pre-norm blocks without biases, then a norm.
 * Embeddings (T, C) -> states (T, C). In inference the embeddings, and what `attend` was given and gave, are spent afterwards.
 */
export function stackStates(
  tape: Tape,
  weights: Weights,
  config: EncoderDecoderConfig,
  stack: Stack,
  embedded: Matrix,
  attend: StackAttention,
  dropout?: StackDropout,
): Matrix {
  const eps = config.layer_norm_epsilon;
  const count = sublayersOf(stack);
  const total = layersOf(stack, config) * count;
  // Numbers of dropouts, which no other of the step has.
  const first = stack === "encoder" ? 0 : 2 * config.num_layers * sublayersOf("encoder") + 2;
  const gain = (i: number) =>
    i === total
      ? `${stack}.final_layer_norm.weight`
      : `${stack}.block.${Math.floor(i / count)}.layer.${i % count}.layer_norm.weight`;
  const spend = (...matrices: Matrix[]) => {
    if (!tape.recording) matrices.forEach((matrix) => tape.device.release(matrix));
  };
  const rate = tape.training ? dropout?.rate ?? 0 : 0;
  const numbered = (number: number) => ({ rate, seed: dropout?.seed, stream: first + number });
  const dropped = (x: Matrix, number: number) => {
    const kept = drop(tape, x, numbered(number));
    if (kept !== x) spend(x);
    return kept;
  };
  let stream = dropped(embedded, 0);
  let normed = norm(tape, weights, stream, gain(0), eps);
  for (let i = 0; i < total; i++) {
    const layer = Math.floor(i / count);
    const name = (part: string) => `${stack}.block.${layer}.layer.${i % count}.${part}.weight`;
    const project = (x: Matrix, part: string) => linear(tape, weights, x, name(part));
    const onWeights = rate > 0 ? { seed: dropout!.seed, rate, stream: first + 2 * i + 1 } : undefined;
    let wide: Matrix;
    let inner: Matrix;
    let out: Matrix;
    if (i % count === 0) {
      wide = project(normed, "SelfAttention.qkv");
      inner = attend.self(layer, wide, onWeights);
      out = project(inner, "SelfAttention.o");
    } else if (i % count < count - 1) {
      wide = project(normed, "EncDecAttention.q");
      inner = attend.cross!(layer, wide, onWeights);
      out = project(inner, "EncDecAttention.o");
    } else {
      const gated = config.feed_forward_proj === "gated-gelu";
      wide = project(normed, gated ? GATE_UP : "DenseReluDense.wi");
      inner = dropped(gated ? geluGated(tape, wide) : relu(tape, wide), 2 * i + 1);
      out = project(inner, "DenseReluDense.wo");
    }
    spend(normed, wide, inner);
    const next = residualNorm(tape, weights, stream, out, gain(i + 1), eps, numbered(2 * i + 2));
    spend(stream, out);
    ({ sum: stream, normed } = next);
  }
  spend(stream);
  return dropped(normed, 2 * total + 1);
}

const GATE_UP = "DenseReluDense.wi_0_1";

/** Parameters of both stacks. Fused ones are split on save. */
export function stackSpecs(config: EncoderDecoderConfig): ParameterSpec[] {
  const { d_model, d_kv, d_ff, num_heads, relative_attention_num_buckets: buckets } = config;
  const inner = num_heads * d_kv;
  const fused = (name: string, part: string, parts: string[], rows: number): ParameterSpec =>
    productSpec(
      `${name}.${part}.weight`,
      parts.length * rows,
      d_model,
      parts.map((each, i) => ({
        name: `${name}.${each}.weight`,
        shape: [rows, d_model],
        row: i * rows,
        col: 0,
      })),
    );
  const bias = (name: string): ParameterSpec => ({
    name,
    rows: buckets,
    cols: num_heads,
    init: "normal",
    decay: true,
    product: false,
  });
  const gain = (name: string): ParameterSpec => ({
    name,
    rows: 1,
    cols: d_model,
    init: "ones",
    decay: false,
    product: false,
    parts: [{ name, shape: [d_model], row: 0, col: 0 }],
  });
  return (["encoder", "decoder"] as const).flatMap((stack) =>
    [
      bias(biasName(stack)),
      ...stack === "decoder" && config.causal_encoder ? [bias(CROSS_BIAS)] : [],
      ...Array.from({ length: layersOf(stack, config) }, (_, layer) => {
        const last = sublayersOf(stack) - 1;
        const name = (sublayer: number, part: string) => `${stack}.block.${layer}.layer.${sublayer}.${part}`;
        const [own, other, dense] = [
          name(0, "SelfAttention"),
          name(1, "EncDecAttention"),
          name(last, "DenseReluDense"),
        ];
        const cross = [
          productSpec(`${other}.q.weight`, inner, d_model),
          fused(other, "kv", ["k", "v"], inner),
          productSpec(`${other}.o.weight`, d_model, inner),
          gain(name(1, "layer_norm.weight")),
        ];
        return [
          fused(own, "qkv", ["q", "k", "v"], inner),
          productSpec(`${own}.o.weight`, d_model, inner),
          gain(name(0, "layer_norm.weight")),
          ...stack === "decoder" ? cross : [],
          config.feed_forward_proj === "gated-gelu"
            ? fused(dense, "wi_0_1", ["wi_0", "wi_1"], d_ff)
            : productSpec(`${dense}.wi.weight`, d_ff, d_model),
          productSpec(`${dense}.wo.weight`, d_model, d_ff),
          gain(name(last, "layer_norm.weight")),
        ];
      }).flat(),
      gain(`${stack}.final_layer_norm.weight`),
    ] satisfies ParameterSpec[]
  );
}
