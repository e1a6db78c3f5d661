import { groupsOf } from "../../kernels/gpu/tensor.ts";
import type { ParameterSpec } from "./spec.ts";

/** What of an adapter's limits decides how parameters lie in memory. */
export interface LayoutLimits {
  /** Most rows of a matrix. */
  matrixRows: number;
  /** Most bytes of a binding. */
  bindingBytes: number;
  /** Most bytes of a buffer. */
  bufferBytes: number;
}

/** Rows [start, start + rows) of a parameter: what one matrix holds. */
export interface BlockPlace {
  /** First row in the parameter. */
  start: number;
  /** Number of rows. */
  rows: number;
  /** Place in the arrays of what is trained; undefined for frozen rows. */
  trained: { segment: number; at: number; length: number } | undefined;
}

/** Elements that one buffer holds. */
export interface SegmentPlace {
  /** Place of its first element among all that are trained. */
  base: number;
  /** Elements, padding included. */
  length: number;
  /** Elements with weight decay: they come first. */
  decayLength: number;
}

/** Where the parameters of a model lie. */
export interface ParameterLayout {
  /** Parameters in the order of their elements: those with weight decay first. */
  parameters: { spec: ParameterSpec; blocks: BlockPlace[] }[];
  segments: SegmentPlace[];
}

/** Slices of a buffer start at multiples of so many elements. */
const ALIGNMENT = 64;
/** Rows are at least one group of four wide: so many of them always end where a slice may start. */
export const ROW_STEP = 16;
const MOST_BLOCK_BYTES = 2 ** 30;

/**
 * Cuts parameters into blocks of rows that a matrix and a binding can hold, frozen rows apart from trained ones, and
 * gives trained ones their place in as few buffers as can be. Blocks of a parameter follow each other without a gap.
 * @throws {RangeError} where more rows are frozen than there are.
 */
export function layoutParameters(specs: readonly ParameterSpec[], limits: LayoutLimits): ParameterLayout {
  const ordered = [...specs.filter((spec) => spec.decay), ...specs.filter((spec) => !spec.decay)];
  const segments: SegmentPlace[] = [];
  const most = Math.floor(limits.bufferBytes / 4 / ALIGNMENT) * ALIGNMENT;
  const place = (length: number, decay: boolean) => {
    const padded = Math.ceil(length / ALIGNMENT) * ALIGNMENT;
    let segment = segments.at(-1);
    if (!segment || segment.length + padded > most) {
      const base = segment ? segment.base + segment.length : 0;
      segments.push(segment = { base, length: 0, decayLength: 0 });
    }
    const at = segment.length;
    segment.length += padded;
    if (decay) segment.decayLength = segment.length;
    return { segment: segments.length - 1, at, length };
  };
  const parameters = ordered.map((spec) => {
    const { rows, cols, frozenRows = 0, decay } = spec;
    if (frozenRows > rows) throw new RangeError(`${spec.name} freezes ${frozenRows} rows: it has ${rows}`);
    const stride = groupsOf(cols) * 4;
    const blocks: BlockPlace[] = [];
    const cut = (first: number, end: number, trained: boolean) => {
      const step = mostRows(stride * 4, end - first, limits);
      for (let start = first; start < end; start += step) {
        const count = Math.min(step, end - start);
        blocks.push({
          start,
          rows: count,
          trained: trained ? place(count * stride, decay) : undefined,
        });
      }
    };
    cut(0, frozenRows, false);
    cut(frozenRows, rows, true);
    return { spec, blocks };
  });
  return { parameters, segments };
}

function mostRows(rowBytes: number, rows: number, { matrixRows, bindingBytes, bufferBytes }: LayoutLimits) {
  const bytes = Math.min(bindingBytes, bufferBytes, MOST_BLOCK_BYTES);
  const most = Math.min(matrixRows, Math.floor(bytes / rowBytes));
  // Where not even that many rows fit, making the matrix says what is too large.
  return most >= rows ? rows : Math.max(ROW_STEP, most - most % ROW_STEP);
}
