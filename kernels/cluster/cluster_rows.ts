import type { Device } from "../gpu/device.ts";
import { tokenRows } from "../rows/embedding.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { flatOf, type KernelSpec } from "../gpu/spec.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import code from "./cluster_rows.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/cluster/cluster_rows.wgsl",
  code,
  entry: "cluster_rows",
  inputs: 0,
  outputs: 0,
  flats: ["read", "read_write", "read_write"],
  workgroup: [8],
};

/**
 * Members of each cluster, ascending, on the device: `tokenRows()` for labels that never come to the host. The first
 * `rows` labels u32, all below K -> offsets u32 (K + 1), members u32 (rows). Made for codebooks: work grows as K * rows.
 */
export function clusterRows(device: Device, labels: Flat, rows: number, offsets: Flat, members: Flat): void {
  expectLength("clusterRows() labels", labels, "u32", rows);
  expectLength("clusterRows() members", members, "u32", rows);
  expectLength("clusterRows() offsets", offsets, "u32", 2);
  const codewords = offsets.length - 1;
  device.run(kernel, { flats: [labels, offsets, members], u32: [rows, codewords], invocations: [codewords] });
}

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
