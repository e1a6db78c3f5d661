import { flatOf, type KernelSpec, noise } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";
import { type BlockRows, keepBlocks } from "./keep_blocks.ts";

interface Attributes {
  rows: number;
  cols: number;
  blocks: BlockRows[];
}

export const spec: KernelSpec<Attributes> = {
  name: "keepBlocks",
  cases: () =>
    [
      { rows: 9, cols: 12, blocks: [{ start: 0, end: 4 }, { start: 4, end: 6 }, { start: 6, end: 9 }] },
      { rows: 20, cols: 8, blocks: [{ start: 3, end: 17 }] },
      { rows: 5, cols: 16, blocks: [[0, 1], [4, 5], [2, 2], [0, 5]].map(([start, end]) => ({ start, end })) },
    ].map((attributes) => {
      const { rows, cols, blocks } = attributes;
      return {
        name: `(${rows}, ${cols}) in ${blocks.length} blocks`,
        inputs: { values: flatOf("f32", Array.from({ length: rows * cols }, noise(rows))) },
        attributes,
      };
    }),
  reference: ({ values }, { cols, blocks }) => {
    const inside = (i: number) => {
      const { start, end } = blocks[Math.floor((i % cols) / (cols / blocks.length))];
      return Math.floor(i / cols) >= start && Math.floor(i / cols) < end;
    };
    return { values: { ...values, data: values.data.map((value, i) => inside(i) ? value : 0) } };
  },
  forward: (device, { values }, { rows, cols, blocks }) => {
    keepBlocks(device, values as Flat, rows, cols, blocks);
    return { values };
  },
};
