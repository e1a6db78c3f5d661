import { shuffledOrder } from "../../base/shuffle.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import { checkEnoughItems } from "../embeddings.ts";
import { bestOfStarts } from "../kmeans/best_of_starts.ts";
import { lloyd } from "../kmeans/lloyd.ts";
import { PointBlocks } from "../kmeans/point_blocks.ts";
import { codebookName, subtractCodewords } from "../kmeans/residuals.ts";
import { progressiveStart } from "../kmeans/start.ts";
import type { SidModel, SidProgress } from "../method.ts";
import type { RqKmeansConfig } from "../settings.generated.ts";
import { readItems, type RowSource } from "./row_source.ts";

/** Items that codewords start from, drawn by the seed: all on the device at once. */
const SAMPLE = 32_768;
/** Items of a batch, and of the runs of neighbours that it is put together from: files are read in runs. */
const BATCH = 16_384, RUN = 1024;

/** Codes of a catalogue and what was learned, without anything that grows with its vectors. */
export interface MiniBatchFit {
  /** (N, L), row after row: codewords from 0. */
  codes: Uint16Array<ArrayBuffer>;
  /** Levels, L. */
  levels: number;
  /** Reconstruction error by level, as `SidCodes` has it. */
  errors: number[];
  /** Mean over items and dimensions of the squared difference to the mean vector. */
  variance: number;
  model: SidModel;
}

/** Levels that are learned and coded, from which a fit goes on. */
export interface CodedLevels {
  /** (N, L), of these levels alone known. */
  codes: Uint16Array<ArrayBuffer>;
  codebooks: Float32Array<ArrayBuffer>[];
  errors: number[];
  /** See {@link MiniBatchFit.variance}. */
  variance: number;
}

/** Who follows a fit. */
export interface FitFollower {
  onProgress?(progress: SidProgress): void;
  /** Told of all levels after each; what it gets is changed by the next. */
  onLevel?(levels: CodedLevels): Promise<void>;
}

/**
 * Residual k-means of vectors that no memory holds. Each level starts from the clusters of a sample, as `residualKmeans()`
 * finds them, goes once through all items in batches, in an order drawn by the seed, in which every codeword moves to the
 * mean of all that it was nearest to (Sculley 2010, Web-Scale K-Means Clustering), and then codes all items block by block.
 * It holds 2 bytes an item and level, the sample and a batch. It goes on behind the levels of `coded`, which it takes over.
 * @throws {UserError} if there are fewer items than codewords.
 */
export async function fitMiniBatches(
  device: Device,
  source: RowSource,
  { levels, codebookSize, iterations, tolerance, starts, seed }: RqKmeansConfig,
  { onProgress, onLevel }: FitFollower = {},
  coded?: CodedLevels,
): Promise<MiniBatchFit> {
  const { rows, dim } = source;
  checkEnoughItems({ data: new Float32Array(), rows, dim }, codebookSize);
  const items = rows <= SAMPLE
    ? Uint32Array.from({ length: rows }, (_, item) => item)
    : shuffledOrder(rows, seed, 0).slice(0, SAMPLE).sort();
  const sample = { data: await readItems(source, items), rows: items.length, dim };
  const fresh: CodedLevels = {
    codes: new Uint16Array(rows * levels),
    codebooks: [],
    errors: [],
    variance: 0,
  };
  const { codes, codebooks, errors } = coded ??= fresh;
  let { variance } = coded;
  const subtractFromSample = (level: number) => {
    const own = Uint16Array.from(items, (item) => codes[item * levels + level]);
    subtractCodewords(sample.data, codebooks[level], own, dim);
  };
  for (const level of codebooks.keys()) subtractFromSample(level);
  for (let level = codebooks.length; level < levels; level++) {
    const tell = (done: number, state: string) =>
      onProgress?.({
        done: (2 * level) * rows + done,
        total: 2 * levels * rows,
        state: `level ${level + 1}, ${state}`,
      });
    const blocks = new PointBlocks(device, sample.rows, dim, codebookSize);
    let start;
    try {
      blocks.write(sample.data);
      tell(0, `starts from ${sample.rows} items`);
      start = await bestOfStarts(sample, level, { levels, starts, iterations }, async (index) => {
        const from = await progressiveStart(device, sample, codebookSize, seed, index);
        return await lloyd(device, blocks, from, codebookSize, { iterations, tolerance });
      });
    } finally {
      blocks.destroy();
    }
    const residuals: Residuals = { source, codes, levels, codebooks };
    const moving = new MovingMeans(start.codebook, start.labels, dim), spread = new Spread(dim);
    let done = 0;
    for (const runs of batchesOf(rows, seed, level)) {
      const data = await residualsOf(residuals, runs);
      const { labels } = await assigned(device, data, moving.means, dim);
      moving.add(data, labels);
      if (level === 0) spread.add(data);
      tell(done += labels.length, "batches");
    }
    const codebook = moving.means;
    let squares = 0;
    for (let first = 0; first < rows; first += BATCH) {
      const count = Math.min(BATCH, rows - first);
      const data = await residualsOf(residuals, [{ first, count }]);
      const { labels, distances } = await assigned(device, data, codebook, dim);
      labels.forEach((label, i) => codes[(first + i) * levels + level] = label);
      squares += distances.reduce((sum, distance) => sum + distance, 0);
      tell(rows + first + count, "codes");
    }
    if (level === 0) variance = spread.variance;
    errors.push(squares / (rows * dim));
    codebooks.push(codebook);
    subtractFromSample(level);
    await onLevel?.({ codes, codebooks, errors, variance });
  }
  const tensors: TensorMap = new Map(
    codebooks.map((data, level) => [codebookName(level), { shape: [codebookSize, dim], data }]),
  );
  return {
    codes,
    levels,
    errors,
    variance,
    model: { codebookSizes: codebooks.map(() => codebookSize), tensors },
  };
}

/** Items next to each other. */
interface ItemRun {
  first: number;
  count: number;
}

/** Batches of items, each of them in one: runs of neighbours in an order drawn by the seed. */
function* batchesOf(rows: number, seed: number, level: number): Generator<ItemRun[]> {
  const runs = shuffledOrder(Math.ceil(rows / RUN), seed, level + 1);
  for (let at = 0; at < runs.length; at += BATCH / RUN) {
    yield Array.from(runs.subarray(at, at + BATCH / RUN), (run) => ({
      first: run * RUN,
      count: Math.min(RUN, rows - run * RUN),
    }));
  }
}

/** Vectors less the codewords of the levels that are coded already, {@link codebooks}. */
interface Residuals {
  source: RowSource;
  /** (N, L). */
  codes: Uint16Array;
  levels: number;
  codebooks: readonly Float32Array[];
}

/** What the levels so far leave over of the items of some runs: (items, D). */
async function residualsOf(
  { source, codes, levels, codebooks }: Residuals,
  runs: readonly ItemRun[],
): Promise<Float32Array<ArrayBuffer>> {
  const { dim } = source;
  const data = new Float32Array(runs.reduce((sum, { count }) => sum + count, 0) * dim);
  let at = 0;
  for (const { first, count } of runs) {
    const rows = await source.read(first, count);
    for (const [level, codebook] of codebooks.entries()) {
      const labels = Uint16Array.from({ length: count }, (_, i) => codes[(first + i) * levels + level]);
      subtractCodewords(rows, codebook, labels, dim);
    }
    data.set(rows, at);
    at += rows.length;
  }
  return data;
}

/** The nearest of the centres (K, D) for each point (N, D). */
async function assigned(device: Device, data: Float32Array, centres: Float32Array, dim: number) {
  const codewords = centres.length / dim;
  const blocks = new PointBlocks(device, data.length / dim, dim, codewords);
  const matrix = device.upload(centres, codewords, dim);
  try {
    blocks.write(data);
    return await blocks.assign(matrix);
  } finally {
    device.destroy(matrix);
    blocks.destroy();
  }
}

/** Centres (K, D), each the mean of all points that were given to it. */
class MovingMeans {
  readonly means: Float32Array<ArrayBuffer>;
  readonly #counts: Float64Array;
  readonly #dim: number;

  /** Of the points with `labels`, whose means are known. */
  constructor(means: Float32Array, labels: Uint32Array, dim: number) {
    this.means = means.slice();
    this.#dim = dim;
    this.#counts = new Float64Array(means.length / dim);
    for (const label of labels) this.#counts[label]++;
  }

  /** Points (N, D) and the centre of each. */
  add(points: Float32Array, labels: Uint32Array): void {
    const dim = this.#dim;
    const sums = new Float64Array(this.means.length), counts = new Float64Array(this.#counts.length);
    for (const [point, label] of labels.entries()) {
      counts[label]++;
      for (let d = 0; d < dim; d++) sums[label * dim + d] += points[point * dim + d];
    }
    for (const [cluster, count] of counts.entries()) {
      if (count === 0) continue;
      const all = this.#counts[cluster] += count;
      for (let at = cluster * dim; at < (cluster + 1) * dim; at++) {
        this.means[at] += (sums[at] - count * this.means[at]) / all;
      }
    }
  }
}

/** How far vectors are from their mean. */
class Spread {
  readonly #sums: Float64Array;
  #squares = 0;
  #numbers = 0;

  constructor(dim: number) {
    this.#sums = new Float64Array(dim);
  }

  /** Vectors (N, D). */
  add(data: Float32Array): void {
    const dim = this.#sums.length;
    for (let i = 0; i < data.length; i++) {
      this.#sums[i % dim] += data[i];
      this.#squares += data[i] ** 2;
    }
    this.#numbers += data.length;
  }

  get variance(): number {
    const rows = this.#numbers / this.#sums.length;
    const means = this.#sums.reduce((sum, value) => sum + (value / rows) ** 2, 0);
    return Math.max(0, (this.#squares - rows * means) / this.#numbers);
  }
}
