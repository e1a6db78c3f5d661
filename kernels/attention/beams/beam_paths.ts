import { type AttentionShape, qkvColumns } from "../attention.ts";
import type { Device } from "../../gpu/device.ts";
import type { Kernel } from "../../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, type Matrix } from "../../gpu/tensor.ts";
import { headCode } from "../registers.ts";
import running from "../running.wgsl" with { type: "text" };
import code from "./beam_paths.wgsl" with { type: "text" };

const label = "kernels/attention/beams/beam_paths.wgsl";
const made = new Map<number, { extend: Kernel; attend: Kernel }>();

function kernelsOf(headDim: number) {
  let kernels = made.get(headDim);
  if (!kernels) {
    const common = { label, code: headCode(headDim) + running + code, constants: { GROUPS: headDim / 4 } };
    kernels = {
      extend: {
        ...common,
        entry: "extend_paths",
        inputs: 0,
        outputs: 0,
        flats: ["read", "read", "read", "read_write", "read_write"],
        workgroup: [64],
      },
      attend: {
        ...common,
        entry: "attention_paths",
        staged: true,
        inputs: 3,
        outputs: 1,
        flats: ["read", "read"],
        workgroup: [8, 1],
      },
    };
    made.set(headDim, kernels);
  }
  return kernels;
}

/** Beams of U prompts after a step, `width` of each. */
export interface BeamPaths {
  /** Beams a prompt. */
  width: number;
  /** Most tokens of a beam, and the number of the newest one, from 0. */
  depth: number;
  step: number;
  /** u32 (U * 2): first row of each prompt and the row after its last. */
  spans: Flat;
  /** u32 (U * width * depth): rows of the cache where the tokens of each beam are, oldest first. */
  paths: Flat;
}

/**
 * Paths that are one token longer: `before` are those of the step before, `parents` u32 (U * width) the beam of the same
 * prompt that each beam continues (not read in step 0), `firstRow` the row of the cache where the first beam's newest token
 * is. Writes `after.paths`, and u32 (U * width) of the newest tokens' places in their sequences.
 */
export function extendBeamPaths(
  device: Device,
  before: BeamPaths,
  parents: Flat,
  firstRow: number,
  { after, positions, headDim }: { after: BeamPaths; positions: Flat; headDim: number },
): void {
  const { width, depth, step, spans, paths } = after;
  const beams = spans.length / 2 * width;
  expectLength("extendBeamPaths() parents", parents, "u32", beams);
  expectLength("extendBeamPaths() paths", paths, "u32", beams * depth);
  expectLength("extendBeamPaths() positions", positions, "u32", beams);
  device.run(kernelsOf(headDim).extend, {
    flats: [spans, before.paths, parents, paths, positions],
    u32: [beams, width, before.width, depth, step, firstRow],
    invocations: [beams],
  });
}

/**
 * Attention of the newest token of each beam over its prompt and its own tokens. All rows are q | k | v, rotated: qkv
 * (U * width, ..) of the newest tokens, `prompts` of the prompts' tokens, `cache` of the beams' tokens, the newest included
 * -> o (U * width, heads * headDim). For decoding: it has no backward.
 */
export function pathAttention(
  device: Device,
  qkv: Matrix,
  prompts: Matrix,
  cache: Matrix,
  { width, depth, step, spans, paths }: BeamPaths,
  shape: AttentionShape,
): Matrix {
  const { heads, kvHeads, headDim } = shape;
  const { k, v } = qkvColumns(shape);
  expectLength("pathAttention() paths", paths, "u32", qkv.rows * depth);
  expectShape("pathAttention() prompts", prompts, prompts.rows, qkv.cols);
  expectShape("pathAttention() cache", cache, cache.rows, qkv.cols);
  const o = device.matrix(qkv.rows, heads * headDim);
  device.run(kernelsOf(headDim).attend, {
    inputs: [qkv, prompts, cache],
    outputs: [o],
    flats: [spans, paths],
    u32: [qkv.rows, width, depth, step, heads, heads / kvHeads, k / 4, v / 4],
    f32: [1 / Math.sqrt(headDim)],
    invocations: [qkv.rows, heads],
  });
  return o;
}
