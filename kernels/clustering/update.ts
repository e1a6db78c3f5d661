import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import { assignWanted, boundPoints, releaseTurned, turnCentres } from "./assign.ts";
import code from "./update.wgsl" with { type: "text" };

const kernel = (entry: string, flats: Kernel["flats"], workgroup: Kernel["workgroup"]): Kernel => ({
  label: "kernels/clustering/update.wgsl",
  code,
  entry,
  inputs: 0,
  outputs: 0,
  flats,
  workgroup,
});
const want = kernel("kmeans_want", ["read", "read", "read_write"], [8]);
const collect = kernel("kmeans_collect", ["read", "read", "read", "read_write", "read_write"], [8]);
const survey = kernel("kmeans_survey", ["read", "read", "read", "read_write", "read_write", "read_write"], [
  8,
]);
const settle = kernel("kmeans_settle", ["read_write", "read", "read_write"], [1]);
const count = kernel("kmeans_count", ["read", "read", "read_write"], [8]);
const fill = kernel("kmeans_fill", ["read", "read", "read_write", "read_write", "read_write"], [64]);
const offsets = kernel("kmeans_offsets", ["read", "read_write", "read_write"], [64]);
const place = kernel("kmeans_place", ["read", "read", "read_write", "read_write"], [8]);
const sum: Kernel = { ...kernel("kmeans_sum", ["read", "read", "read", "read_write"], [8, 8]), inputs: 2 };
const mean: Kernel = { ...kernel("kmeans_mean", ["read", "read", "read"], [16, 8]), inputs: 1, outputs: 1 };
const path: Kernel = { ...kernel("kmeans_path", ["read_write"], [8]), inputs: 2 };
const moves = kernel("kmeans_moves", ["read", "read_write"], [1]);

/** Points that one invocation counts at least: with as many clusters the counts take as much room as the labels. */
const SMALLEST_CHUNK = 256;

/** How points (N, D) lie on the device. */
export interface KmeansPoints {
  /** Matrices (rows, D), each of {@link KmeansRounds.blockRows} but the last. */
  blocks: readonly Matrix[];
  /** N. */
  rows: number;
}

/** When Lloyd's algorithm ends. */
export interface KmeansEnd {
  /** Most updates of the centres. */
  iterations: number;
  /** Ends when an iteration lowers the sum of squared distances by less than this share of it. */
  tolerance: number;
}

/** Rows of a block of points, at most `most`: whole chunks, as {@link KmeansRounds} counts them. */
export function kmeansBlockRows(most: number, clusters: number): number {
  const chunk = chunkOf(most, clusters);
  return most - most % chunk;
}

function chunkOf(most: number, clusters: number): number {
  return Math.min(Math.max(SMALLEST_CHUNK, clusters), most);
}

/**
 * Rounds of Lloyd's algorithm, all on the device: nothing is read back between them. Each assigns every point to its
 * nearest centre, ends where that changed nothing or lowered the error too little, gives every cluster that lost all
 * points the point farthest from its centre, and moves the centres to the means. Rounds after the end change nothing.
 */
export class KmeansRounds {
  /** u32 (N): nearest centres, of the last round that was not after the end. */
  readonly labels: Flat;
  /** f32 (N): squared distances to them. */
  readonly distances: Flat;
  /** u32: whether it has ended, updates of the centres so far. */
  readonly control: Flat;
  /** f32 (iterations + 1): sum of the distances in each round. */
  readonly inertias: Flat;
  readonly #device: Device;
  readonly #points: KmeansPoints;
  readonly #clusters: number;
  readonly #end: KmeansEnd;
  readonly #chunk: number;
  readonly #blockChunks: number;
  readonly #flats: ReturnType<typeof flatsOf>;

  /** `blockRows` of {@link kmeansBlockRows}; call {@link destroy} in the end. */
  constructor(device: Device, points: KmeansPoints, clusters: number, blockRows: number, end: KmeansEnd) {
    this.#device = device;
    this.#points = points;
    this.#clusters = clusters;
    this.#end = end;
    this.#chunk = chunkOf(blockRows, clusters);
    this.#blockChunks = blockRows / this.#chunk;
    const { rows } = points;
    const chunks = Math.ceil(rows / this.#chunk);
    this.labels = device.createFlat("u32", rows);
    this.distances = device.createFlat("f32", rows);
    this.control = device.createFlat("u32", 2);
    this.inertias = device.createFlat("f32", end.iterations + 1);
    this.#flats = flatsOf(device, points, clusters, chunks);
  }

  /** Records one round from centres (K, D). Returns the next ones, a matrix of the open scope. */
  round(centres: Matrix): Matrix {
    const device = this.#device;
    const { control, labels, distances, inertias } = this;
    const { lower, used, histogram, parts, counts, drift, members } = this.#flats;
    const { wanted, chunkWanted, blockWanted } = this.#flats;
    const { blocks, rows } = this.#points;
    const turned = turnCentres(device, centres);
    const { iterations, tolerance } = this.#end;
    const u32 = [rows, this.#clusters, this.#chunk, this.#blockChunks, iterations];
    const f32 = [tolerance];
    const chunks = Math.ceil(rows / this.#chunk);
    const run = (kernel: Kernel, flats: Flat[], invocations: number) =>
      device.run(kernel, { flats, u32, f32, invocations: [invocations] });
    const known = { labels, distances, lower, control };
    const placeOf = (block: number) => ({ first: this.#first(block), block });
    blocks.forEach((points, block) =>
      boundPoints(device, points, turned, known, this.#flats.moves, placeOf(block))
    );
    run(want, [control, lower, chunkWanted], chunks);
    run(collect, [control, lower, chunkWanted, wanted, blockWanted], chunks);
    const queue = { rows: wanted, counts: blockWanted };
    blocks.forEach((points, block) => assignWanted(device, points, turned, known, queue, placeOf(block)));
    releaseTurned(device, turned);
    run(survey, [control, labels, distances, used, histogram, parts], chunks);
    run(settle, [control, parts, inertias], 1);
    run(count, [control, histogram, counts], this.#clusters);
    run(fill, [control, distances, used, histogram, counts], 64);
    run(offsets, [control, this.#flats.offsets, histogram], 64 * blocks.length);
    run(place, [control, used, members, histogram], chunks);
    const groups = groupsOf(centres.cols);
    const sums = (block: number) => [this.#clusters, groups, this.#first(block), block];
    blocks.forEach((points, block) =>
      device.run(sum, {
        inputs: [points, centres],
        flats: [control, this.#flats.offsets, members, drift],
        u32: sums(block),
        invocations: [Math.ceil(groups / 32) * 8, this.#clusters], // four groups each
      })
    );
    const means = device.matrix(centres.rows, centres.cols);
    device.run(mean, {
      inputs: [centres],
      outputs: [means],
      flats: [control, drift, counts],
      u32: sums(0),
      invocations: [groups, this.#clusters],
    });
    const clusters = [this.#clusters, groups, 0, 0];
    const { paths } = this.#flats;
    device.run(path, {
      inputs: [centres, means],
      flats: [paths],
      u32: clusters,
      invocations: [this.#clusters],
    });
    device.run(moves, { flats: [paths, this.#flats.moves], u32: clusters, invocations: [1] });
    return means;
  }

  /** Frees everything on the device but the points. */
  destroy(): void {
    const own = [this.labels, this.distances, this.control, this.inertias, ...Object.values(this.#flats)];
    own.forEach((flat) => this.#device.destroy(flat));
  }

  #first(block: number): number {
    return block * this.#blockChunks * this.#chunk;
  }
}

function flatsOf(device: Device, { rows, blocks }: KmeansPoints, clusters: number, chunks: number) {
  return {
    lower: device.createFlat("f32", rows),
    wanted: device.createFlat("u32", rows),
    chunkWanted: device.createFlat("u32", chunks),
    blockWanted: device.createFlat("u32", blocks.length),
    used: device.createFlat("u32", rows),
    histogram: device.createFlat("u32", chunks * clusters),
    parts: device.createFlat("f32", chunks * 2),
    counts: device.createFlat("u32", clusters),
    offsets: device.createFlat("u32", blocks.length * (clusters + 1)),
    members: device.createFlat("u32", rows),
    drift: device.createFlat("f32", clusters * groupsOf(blocks[0].cols) * 4),
    paths: device.createFlat("f32", clusters),
    moves: device.createFlat("f32", 4),
  };
}
