import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./transport.wgsl" with { type: "text" };

const CHUNK = 256;
const LANES = 64;

const kernel = (
  entry: string,
  inputs: number,
  flats: Kernel["flats"],
  workgroup: Kernel["workgroup"],
): Kernel => ({
  label: "kernels/clustering/transport.wgsl",
  code,
  entry,
  inputs,
  outputs: 0,
  flats,
  workgroup,
});
const rowsKernel = kernel("transport_rows", 1, ["read", "read", "read_write"], [8]);
const columnsKernel: Kernel = {
  ...kernel("transport_columns", 1, ["read", "read", "read", "read_write"], [16, 4]),
  constants: { CHUNK },
};
const massesKernel = kernel("transport_masses", 0, ["read", "read", "read_write"], [LANES]);
const settleKernel = kernel("transport_settle", 0, ["read_write", "read", "read", "read_write"], [LANES]);

/** Scaling of columns past the last cluster: no mass, in float32 whatever the costs. */
const NOTHING = -1e30;

/** What {@link TransportRounds} seeks. */
export interface TransportEnd {
  /** Strength of the entropy, in units of the costs. */
  epsilon: number;
  /** Ends when no cluster's mass is off its capacity by more than this share of it. */
  tolerance: number;
}

/**
 * Rounds of entropic optimal transport of N points of mass 1 to K clusters of given capacities, all on the device: Sinkhorn's
 * algorithm in the log domain, so that nothing under- or overflows however small epsilon is (Peyré and Cuturi,
 * Computational Optimal Transport, 2019, section 4.4). The mass of point i at cluster k is proportional to
 * exp(scalings[k] - cost[i, k] / epsilon), points sum to 1. Rounds after the end change nothing.
 */
export class TransportRounds {
  /** u32 (1): whether it has ended. */
  readonly done: Flat;
  /** f32 (K): prices of the clusters / epsilon. */
  readonly scalings: Flat;
  readonly #device: Device;
  readonly #clusters: number;
  readonly #end: TransportEnd;
  readonly #chunks: number;
  readonly #flats: { padded: Flat; logCapacities: Flat; logSums: Flat; logMasses: Flat; parts: Flat };

  /** `heights`: points of each block of costs. `capacities` (K), above 0. Call {@link destroy} in the end. */
  constructor(device: Device, heights: readonly number[], capacities: ArrayLike<number>, end: TransportEnd) {
    this.#device = device;
    this.#clusters = capacities.length;
    this.#end = end;
    this.#chunks = heights.reduce((sum, rows) => sum + Math.ceil(rows / CHUNK), 0);
    const groups = groupsOf(capacities.length);
    const padded = new Float32Array(Math.ceil(groups / 4) * 16).fill(NOTHING);
    this.done = device.createFlat("u32", 1);
    this.#flats = {
      padded: device.createFlat("f32", padded.fill(0, 0, capacities.length)),
      logCapacities: device.createFlat("f32", Float32Array.from(capacities, Math.log)),
      logSums: device.createFlat("f32", Math.max(...heights)),
      logMasses: device.createFlat("f32", groups * 4),
      parts: device.createFlat("f32", this.#chunks * groups * 8),
    };
    this.scalings = device.slice(this.#flats.padded, 0, capacities.length);
  }

  /** Records one round. costs (N, K): blocks in row order, each needed until the next one is asked for. */
  round(costs: Iterable<Matrix>): void {
    const device = this.#device;
    const { done } = this;
    const { padded, logCapacities, logSums, logMasses, parts } = this.#flats;
    const { epsilon, tolerance } = this.#end;
    let firstChunk = 0;
    for (const block of costs) {
      expectShape("TransportRounds.round() costs", block, block.rows, this.#clusters);
      const groups = groupsOf(block.cols);
      const chunks = Math.ceil(block.rows / CHUNK);
      const operands = { inputs: [block], u32: [block.rows, groups, firstChunk], f32: [1 / epsilon] };
      device.run(rowsKernel, { ...operands, flats: [done, padded, logSums], invocations: [block.rows] });
      const flats = [done, padded, logSums, parts];
      device.run(columnsKernel, { ...operands, flats, invocations: [groups, chunks] });
      firstChunk += chunks;
    }
    const all = { u32: [this.#chunks, this.#clusters], f32: [tolerance] };
    const lanes = groupsOf(this.#clusters) * LANES;
    device.run(massesKernel, { ...all, flats: [done, parts, logMasses], invocations: [lanes] });
    const flats = [done, logCapacities, logMasses, padded];
    device.run(settleKernel, { ...all, flats, invocations: [LANES] });
  }

  /** Frees everything on the device. */
  destroy(): void {
    [this.done, ...Object.values(this.#flats)].forEach((flat) => this.#device.destroy(flat));
  }
}
