import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import code from "./keep_blocks.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/rows/keep_blocks.wgsl",
  code,
  entry: "keep_blocks",
  inputs: 0,
  outputs: 0,
  flats: ["read_write"],
  workgroup: [16, 8],
};

/** Most blocks that {@link keepBlocks} takes. */
export const MAX_BLOCKS = 4;

/** Rows [start, end) of a block. */
export interface BlockRows {
  /** First row. */
  start: number;
  /** Row after the last. */
  end: number;
}

/**
 * Sets what lies outside of the blocks of a matrix (rows, cols) to 0, in a flat array with rows of whole groups of four.
 * Block p has the rows that it says and the p-th of as many equal parts of the columns, each a multiple of 4 wide.
 */
export function keepBlocks(
  device: Device,
  values: Flat,
  rows: number,
  cols: number,
  blocks: readonly BlockRows[],
): void {
  const groups = cols / blocks.length / 4;
  if (blocks.length > MAX_BLOCKS || !Number.isInteger(groups)) {
    throw new RangeError(
      `keepBlocks() of ${cols} columns in ${blocks.length} blocks: expected at most ${MAX_BLOCKS}, ` +
        "each a multiple of 4 wide",
    );
  }
  expectLength("keepBlocks() values", values, "f32", rows * cols);
  const bounds = (of: (block: BlockRows) => number) =>
    Array.from({ length: MAX_BLOCKS }, (_, p) => p < blocks.length ? of(blocks[p]) : 0);
  device.run(kernel, {
    flats: [values],
    u32: [rows, cols / 4, groups, ...bounds(({ start }) => start), ...bounds(({ end }) => end)],
    invocations: [cols / 4, rows],
  });
}
