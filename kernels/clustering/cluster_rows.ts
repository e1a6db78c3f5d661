import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import code from "./cluster_rows.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/clustering/cluster_rows.wgsl",
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
