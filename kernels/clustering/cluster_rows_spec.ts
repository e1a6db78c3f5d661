import { tokenRows } from "../rows/embedding.ts";
import { flatOf, type KernelSpec } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";
import { clusterRows } from "./cluster_rows.ts";

export const spec: KernelSpec<{ rows: number; codewords: number }> = {
  name: "clusterRows",
  cases: () =>
    [[1, 1, 1], [0, 3, 3], [50, 60, 7], [300, 300, 19], [20, 20, 256]].map(([rows, size, codewords]) => ({
      name: `${rows} of ${size} rows, ${codewords} codewords`,
      inputs: { labels: flatOf("u32", Array.from({ length: size }, (_, row) => row * row % codewords)) },
      attributes: { rows, codewords },
    })),
  reference: ({ labels }, { rows, codewords }) => {
    const byLabel = tokenRows(Uint32Array.from(labels.data), rows, codewords);
    return { offsets: flatOf("u32", byLabel.offsets), members: flatOf("u32", byLabel.rows) };
  },
  forward: (device, inputs, { rows, codewords }) => {
    const labels = inputs.labels as Flat;
    const offsets = device.createFlat("u32", codewords + 1);
    const members = device.createFlat("u32", labels.length);
    clusterRows(device, labels, rows, offsets, members);
    return { offsets, members };
  },
};
