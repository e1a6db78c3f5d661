import { type AttentionShape, qkvColumns } from "../attention.ts";
import type { Device } from "../../gpu/device.ts";
import type { Kernel } from "../../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, type Matrix } from "../../gpu/tensor.ts";
import { bucket, type Variant } from "../../gpu/variants.ts";
import { noiseMatrix, type TunableOperation } from "../../gpu/workload.ts";
import subgroups from "../../reduce/rows/subgroups.wgsl" with { type: "text" };
import { headCode } from "../registers.ts";
import running from "../running.wgsl" with { type: "text" };
import code from "./beam_paths.wgsl" with { type: "text" };
import subgroupsCode from "./beam_paths_subgroups.wgsl" with { type: "text" };
import pathsCode from "./paths.wgsl" with { type: "text" };

/** One way to compute {@link pathAttention}; kernels by head dimension. */
export interface PathVariant extends Variant {
  /** The same object at each call with the same width, so that pipelines are cached. */
  kernel(headDim: number): Kernel;
  /** Invocations over `beams` and their heads. */
  invocations(beams: number, heads: number): readonly [number, number?];
}

/** A step of `beams` beams. */
export interface PathShape extends AttentionShape {
  /** Beams of all prompts, and of one. */
  beams: number;
  width: number;
  /** Keys that a beam sees, the mean over prompts. */
  keys: number;
}

const TEAM = 64;

const withHead = byHead((headDim) => ({
  label: "kernels/attention/beams/beam_paths.wgsl",
  code: headCode(headDim) + running + pathsCode + code,
  constants: { GROUPS: headDim / 4 },
}));

const extendKernel = byHead((headDim): Kernel => ({
  ...withHead(headDim),
  entry: "extend_paths",
  inputs: 0,
  outputs: 0,
  flats: ["read", "read", "read", "read_write", "read_write"],
  workgroup: [64],
}));

const attendOperands = { inputs: 3, outputs: 1, flats: ["read", "read"], staged: true } as const;

const attendKernel = byHead((headDim): Kernel => ({
  ...withHead(headDim),
  ...attendOperands,
  entry: "attention_paths",
  workgroup: [8, 1],
}));

const attendTeamKernel = byHead((headDim): Kernel => ({
  ...attendOperands,
  label: "kernels/attention/beams/beam_paths_subgroups.wgsl",
  code: subgroups + pathsCode + subgroupsCode,
  entry: "attention_paths_subgroups",
  needs: "subgroups",
  workgroup: [TEAM],
  constants: { GROUPS: headDim / 4, TEAM },
}));

function byHead<T>(make: (headDim: number) => T): (headDim: number) => T {
  const made = new Map<number, T>();
  return (headDim) => {
    if (!made.has(headDim)) made.set(headDim, make(headDim));
    return made.get(headDim)!;
  };
}

/** Attention of beams: an invocation a beam and head, or a workgroup that works through subgroups. */
export const PATH_ATTENTION: TunableOperation<PathVariant, PathShape> = {
  name: "path-attention",
  variants: [
    { name: "invocation", kernel: attendKernel, invocations: (beams, heads) => [beams, heads] },
    {
      name: "subgroups",
      needs: ["subgroups"],
      kernel: attendTeamKernel,
      invocations: (beams, heads) => [beams * heads * TEAM],
    },
  ],
  defaultOf: () => PATH_ATTENTION.variants[0],
  classOf: ({ beams, keys, heads, kvHeads, headDim }) =>
    (((bucket(beams) * 32 + bucket(keys)) * 1024 + heads) * 1024 + kvHeads) * 256 + headDim,
  className: ({ beams, keys, heads, kvHeads, headDim }) =>
    `${2 ** bucket(beams)}x${heads}/${kvHeads}x${headDim} of ${2 ** bucket(keys)}`,
  usualShapes: [{ beams: 800, width: 50, keys: 64, heads: 4, kvHeads: 4, headDim: 32 }],
  workload(device, shape) {
    const { beams, width, keys, heads, kvHeads, headDim } = shape;
    const columns = (heads + 2 * kvHeads) * headDim;
    const prompts = Math.ceil(beams / width);
    const ends = Array.from({ length: prompts }, (_, i) => [i * (keys - 1), (i + 1) * (keys - 1)]);
    const spans = device.createFlat("u32", Uint32Array.from(ends.flat()));
    const paths = device.createFlat("u32", Uint32Array.from({ length: beams }, (_, i) => i));
    const own = noiseMatrix(device, prompts * (keys - 1), columns);
    const [qkv, cache] = [noiseMatrix(device, beams, columns), noiseMatrix(device, beams, columns)];
    const after = { width, depth: 1, step: 0, spans, paths };
    return { call: () => pathAttention(device, qkv, own, cache, after, shape), flats: [spans, paths] };
  },
};

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
  device.run(extendKernel(headDim), {
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
  const length = Math.round(prompts.rows / (spans.length / 2));
  const variant = device.variants.of(PATH_ATTENTION, {
    heads,
    kvHeads,
    headDim,
    beams: qkv.rows,
    width,
    keys: length + step + 1,
  });
  device.run(variant.kernel(headDim), {
    inputs: [qkv, prompts, cache],
    outputs: [o],
    flats: [spans, paths],
    u32: [qkv.rows, width, depth, step, heads, heads / kvHeads, k / 4, v / 4],
    f32: [1 / Math.sqrt(headDim)],
    invocations: variant.invocations(qkv.rows, heads),
  });
  return o;
}
