import { type AttentionShape, MAX_HEAD_DIM } from "../../kernels/attention/attention.ts";
import { gatherRows } from "../../kernels/rows/gather.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { type Flat, groupsOf, type Matrix } from "../../kernels/gpu/tensor.ts";
import { UserError } from "../../base/user_error.ts";
import type { DecoderConfig } from "./config.ts";
import { DECODER_SHAPES } from "./shapes/by_name.ts";
import {
  drop,
  gatedPair,
  gatedUnit,
  headNorm,
  type LayerDropout,
  linear,
  norm,
  residual,
  residualNorm,
  rotate,
} from "../layers/layers.ts";
import type { ActiveAdapter } from "../parameters/lora.ts";
import type { Weights } from "../parameters/parameters.ts";
import type { ParameterSpec } from "../parameters/spec.ts";

/** How a block computes attention: over the packed batch in training, over a cache in decoding. */
export type AttendLayer = (layer: number, qkv: Matrix) => Matrix;

/** What the blocks of a decoder compute with. */
export interface DecoderBlocks {
  /** Architecture. */
  config: DecoderConfig;
  /** Parameters of {@link blockSpecs}. */
  weights: Weights;
  /** See {@link attentionShape}. */
  shape: AttentionShape;
  /** Angles of the positions that occur: see `ropeTable()`. */
  rotary: Matrix;
  /** Adapter of a weight, if it has one. */
  adapt?: (weight: string) => ActiveAdapter | undefined;
  /** Whether training keeps the stream between blocks alone, and computes each block again in the backward pass. */
  checkpointing?: boolean;
  /** Whether `weights` are those of a split gate: see {@link blockSpecs}. */
  splitGate?: boolean;
}

/** Dropout of what blocks add to the stream, with the numbers 1, 2, 3 and so on. */
export type BlockDropout = Omit<LayerDropout, "stream">;

/** Token embedding (V, C), which the blocks leave to others. */
export const EMBEDDING = "model.embed_tokens.weight";
/** Output matrix (V, C) of a decoder that does not tie it to the embedding. */
export const HEAD = "lm_head.weight";
/** Gain of the norm after the last block. */
export const FINAL_NORM = "model.norm.weight";

const QKV = "self_attn.qkv.weight";
const QKV_BIAS = "self_attn.qkv.bias";
const QK_NORM = "self_attn.qk_norm.weight";
const OUTPUT_BIAS = "self_attn.o_proj.bias";
const OUTPUT = "self_attn.o_proj.weight";
const GATE_UP = "mlp.gate_up.weight";
const DOWN = "mlp.down_proj.weight";
const GATE_UP_BIAS = "mlp.gate_up.bias";
const GATE = "mlp.gate_proj.weight";
const GATE_BIAS = "mlp.gate_proj.bias";
const UP = "mlp.up_proj.weight";
const UP_BIAS = "mlp.up_proj.bias";
const DOWN_BIAS = "mlp.down_proj.bias";

/**
 * Attention heads of a decoder; all layers have the same.
 * @throws {UserError} if the kernels cannot compute heads of that width.
 */
export function attentionShape(config: DecoderConfig): AttentionShape {
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: headDim } = config;
  if (headDim % 8 !== 0 || headDim > MAX_HEAD_DIM) {
    throw new UserError(
      `Cannot build the decoder: head_dim is ${headDim}, expected a multiple of 8, at most ${MAX_HEAD_DIM}`,
    );
  }
  return { heads, kvHeads, headDim };
}

/**
 * All blocks: token embeddings, stream (T, C), at `positions` u32 (T) -> residual stream (T, C) before the final norm.
 * Attention is left to `attend`: qkv (T, q | k | v), rotated -> (T, heads * headDim). `dropout` is of what
 * each block adds to the stream. In inference `stream` and what `attend` was given
 * and gave are spent afterwards, unless they were kept. `last` u32 (R), for inference: rows that alone are wanted of the
 * stream, in their order; the last block computes no others, and what `attend` gives for it is theirs.
 */
export function decoderBlocks(
  tape: Tape,
  blocks: DecoderBlocks,
  stream: Matrix,
  positions: Flat,
  attend: AttendLayer,
  dropout?: BlockDropout,
  last?: Flat,
): Matrix {
  const { config, weights } = blocks;
  const { num_hidden_layers: layers, rms_norm_eps: eps } = config;
  const gain = (layer: number) => layerName(layer, "input_layernorm.weight");
  if (blocks.checkpointing && tape.recording) {
    for (let layer = 0; layer < layers; layer++) {
      const input = stream;
      tape.beginLayer(layer);
      [stream] = tape.checkpoint([input], () => {
        const normed = norm(tape, weights, input, gain(layer), eps);
        const { sum, down } = decoderBlock(tape, blocks, layer, input, normed, positions, attend, dropout);
        return [residual(tape, sum, dropSpent(tape, down, afterFeedForward(dropout, layer)))];
      });
    }
    return stream;
  }
  let normed = norm(tape, weights, stream, gain(0), eps);
  for (let layer = 0; layer < layers; layer++) {
    tape.beginLayer(layer);
    const wanted = layer + 1 === layers ? last : undefined;
    const { sum, down } = decoderBlock(
      tape,
      blocks,
      layer,
      stream,
      normed,
      positions,
      attend,
      dropout,
      wanted,
    );
    spend(tape, stream);
    const dropped = afterFeedForward(dropout, layer);
    if (layer + 1 === layers) {
      const added = dropSpent(tape, down, dropped);
      stream = residual(tape, sum, added);
      spend(tape, sum, added);
    } else {
      ({ sum: stream, normed } = residualNorm(tape, weights, sum, down, gain(layer + 1), eps, dropped));
      spend(tape, sum, down);
    }
  }
  return stream;
}

/**
 * One block: stream (T, C) and its norm -> the stream after attention, and what the feed-forward layer adds to it before
 * dropout, of all rows or those `wanted`.
 */
function decoderBlock(
  tape: Tape,
  { config, weights, shape, rotary, adapt, splitGate }: DecoderBlocks,
  layer: number,
  stream: Matrix,
  normed: Matrix,
  positions: Flat,
  attend: AttendLayer,
  dropout: BlockDropout | undefined,
  wanted?: Flat,
): { sum: Matrix; down: Matrix } {
  const eps = config.rms_norm_eps;
  const name = (part: string) => layerName(layer, part);
  const project = (x: Matrix, weight: string, bias: string, biased: boolean) =>
    linear(tape, weights, x, name(weight), biased ? name(bias) : undefined, adapt?.(name(weight)));
  const projected = project(normed, QKV, QKV_BIAS, config.attention_bias);
  const scaled = DECODER_SHAPES[config.model_type].queryKeyNorm
    ? headNorm(tape, weights, projected, name(QK_NORM), shape, eps)
    : projected;
  const qkv = rotate(tape, scaled, positions, rotary, shape);
  spend(tape, normed, projected, scaled);
  const heads = attend(layer, qkv);
  const attended = project(heads, OUTPUT, OUTPUT_BIAS, hasOutputBias(config));
  spend(tape, qkv, heads);
  const below = wanted ? gatherRows(tape.device, stream, wanted, wanted.length) : stream;
  const middle = residualNorm(
    tape,
    weights,
    below,
    attended,
    name("post_attention_layernorm.weight"),
    eps,
    dropout && { ...dropout, stream: 2 * layer + 1 },
  );
  spend(tape, attended);
  if (wanted) spend(tape, below);
  const inner = (weight: string, bias: string) => project(middle.normed, weight, bias, config.mlp_bias);
  const wide = splitGate ? [inner(GATE, GATE_BIAS), inner(UP, UP_BIAS)] : [inner(GATE_UP, GATE_UP_BIAS)];
  const gated = wide.length === 2 ? gatedPair(tape, wide[0], wide[1]) : gatedUnit(tape, wide[0]);
  const down = project(gated, DOWN, DOWN_BIAS, config.mlp_bias);
  spend(tape, middle.normed, ...wide, gated);
  return { sum: middle.sum, down };
}

function afterFeedForward(dropout: BlockDropout | undefined, layer: number): LayerDropout | undefined {
  return dropout && { ...dropout, stream: 2 * layer + 2 };
}

/** What dropout leaves of x, which is spent. */
function dropSpent(tape: Tape, x: Matrix, dropped: LayerDropout | undefined): Matrix {
  const kept = dropped ? drop(tape, x, dropped) : x;
  if (kept !== x) spend(tape, x);
  return kept;
}

/** Back to the pool, where no backward pass reads it again: memory does not grow by layer. */
function spend(tape: Tape, ...matrices: Matrix[]): void {
  if (!tape.recording) matrices.forEach((matrix) => tape.device.release(matrix));
}

/**
 * Parameters of the blocks and of the norm after the last one. One product for gate and up is the faster; `splitGate`
 * makes two of them, for a device that cannot hold both in a matrix.
 */
export function blockSpecs(config: DecoderConfig, splitGate = false): ParameterSpec[] {
  const { hidden_size, intermediate_size, head_dim } = config;
  const query = config.num_attention_heads * head_dim;
  const keys = config.num_key_value_heads * head_dim;
  const specs: ParameterSpec[] = [];
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const name = (part: string) => layerName(layer, part);
    const rowPart = (part: string, rows: number, row: number) => ({
      name: name(part),
      shape: [rows, hidden_size],
      row,
      col: 0,
    });
    specs.push(
      productSpec(name(QKV), query + 2 * keys, hidden_size, [
        rowPart("self_attn.q_proj.weight", query, 0),
        rowPart("self_attn.k_proj.weight", keys, query),
        rowPart("self_attn.v_proj.weight", keys, query + keys),
      ]),
      productSpec(name(OUTPUT), hidden_size, query),
      ...splitGate ? [GATE, UP].map((part) => productSpec(name(part), intermediate_size, hidden_size)) : [
        productSpec(name(GATE_UP), 2 * intermediate_size, hidden_size, [
          rowPart(GATE, intermediate_size, 0),
          rowPart(UP, intermediate_size, intermediate_size),
        ]),
      ],
      productSpec(name(DOWN), hidden_size, intermediate_size),
      vectorSpec(name("input_layernorm.weight"), hidden_size, "ones"),
      vectorSpec(name("post_attention_layernorm.weight"), hidden_size, "ones"),
    );
    if (config.attention_bias) {
      specs.push(vectorSpec(name(QKV_BIAS), query + 2 * keys, "zeros", [
        { name: name("self_attn.q_proj.bias"), shape: [query], row: 0, col: 0 },
        { name: name("self_attn.k_proj.bias"), shape: [keys], row: 0, col: query },
        { name: name("self_attn.v_proj.bias"), shape: [keys], row: 0, col: query + keys },
      ]));
    }
    if (hasOutputBias(config)) specs.push(vectorSpec(name(OUTPUT_BIAS), hidden_size, "zeros"));
    if (config.mlp_bias) {
      specs.push(
        ...splitGate
          ? [GATE_BIAS, UP_BIAS].map((part) => vectorSpec(name(part), intermediate_size, "zeros"))
          : [vectorSpec(name(GATE_UP_BIAS), 2 * intermediate_size, "zeros", [
            { name: name(GATE_BIAS), shape: [intermediate_size], row: 0, col: 0 },
            { name: name(UP_BIAS), shape: [intermediate_size], row: 0, col: intermediate_size },
          ])],
        vectorSpec(name(DOWN_BIAS), hidden_size, "zeros"),
      );
    }
    if (DECODER_SHAPES[config.model_type].queryKeyNorm) {
      specs.push({
        ...vectorSpec(name(QK_NORM), head_dim, "ones", [
          { name: name("self_attn.q_norm.weight"), shape: [head_dim], row: 0, col: 0 },
          { name: name("self_attn.k_norm.weight"), shape: [head_dim], row: 1, col: 0 },
        ]),
        rows: 2,
      });
    }
  }
  specs.push(vectorSpec(FINAL_NORM, hidden_size, "ones"));
  return specs;
}

/** Whether gate and up together are more than a matrix of the device holds: see {@link blockSpecs}. */
export function splitsGate({ intermediate_size, hidden_size }: DecoderConfig, device: Device): boolean {
  const { maxTextureDimension2D, maxStorageBufferBindingSize } = device.limits;
  const rows = 2 * intermediate_size;
  return device.layout === "texture" && rows > maxTextureDimension2D ||
    4 * rows * groupsOf(hidden_size) * 4 > maxStorageBufferBindingSize;
}

/** Whether the output projection of attention has a bias: where those of queries, keys and values are always there, never. */
function hasOutputBias({ model_type, attention_bias }: DecoderConfig): boolean {
  return attention_bias && DECODER_SHAPES[model_type].attentionBias === "optional";
}

/** A weight (rows, cols) that a layer multiplies by. */
export function productSpec(
  name: string,
  rows: number,
  cols: number,
  parts?: ParameterSpec["parts"],
): ParameterSpec {
  return { name, rows, cols, init: "normal", decay: true, product: true, parts };
}

function vectorSpec(
  name: string,
  cols: number,
  init: "ones" | "zeros",
  parts: ParameterSpec["parts"] = [{ name, shape: [cols], row: 0, col: 0 }],
): ParameterSpec {
  return { name, rows: 1, cols, init, decay: false, product: false, parts };
}

/** Name of a parameter of a layer. */
export function layerName(layer: number, part: string): string {
  return `model.layers.${layer}.${part}`;
}
