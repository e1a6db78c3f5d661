import { PhiloxStream } from "../../base/philox.ts";
import { assignWithinBounds } from "../assignment/bounded.ts";
import type { Embeddings } from "../embeddings.ts";

const ITERATIONS = 10;

/**
 * Clusters codewords (K, D) by k-means with bounded sizes: `clusters` of them, or K / 2 if that is less, each with half
 * to twice the mean number of codewords and at least 2. Returns the cluster of each codeword (K).
 */
export function clusterCodewords(
  codebook: Embeddings,
  clusters: number,
  seed: number,
  draw: number,
): Uint32Array {
  const { rows } = codebook;
  const count = Math.max(1, Math.min(clusters, Math.floor(rows / 2)));
  const bounds = { min: Math.max(2, Math.floor(rows / (2 * count))), max: Math.ceil(2 * rows / count) };
  const centres = chooseCentres(codebook, count, new PhiloxStream(seed, "clusters of codewords", draw));
  let labels = new Uint32Array(rows);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const before = labels;
    labels = assignWithinBounds(squaredDistances(codebook, centres), count, bounds).labels;
    if (iteration > 0 && labels.every((label, row) => label === before[row])) break;
    moveToMeans(centres, codebook, labels);
  }
  return labels;
}

/** For each codeword another one of its cluster, at random. labels (K) of clusters of 2 or more -> (K). */
export function drawPositives(labels: Uint32Array, random: PhiloxStream): Uint32Array {
  const members = new Map<number, number[]>();
  labels.forEach((label, codeword) => members.set(label, [...(members.get(label) ?? []), codeword]));
  return labels.map((label, codeword) => {
    const others = members.get(label)!;
    const at = random.below(others.length - 1);
    return others[at] < codeword ? others[at] : others[at + 1];
  });
}

/** k-means++ (Arthur and Vassilvitskii 2007): codewords far from the centres so far are the likeliest next ones. */
function chooseCentres(codebook: Embeddings, count: number, random: PhiloxStream): Float64Array {
  const { data, rows, dim } = codebook;
  const centres = new Float64Array(count * dim);
  const nearest = new Float64Array(rows).fill(1);
  for (let cluster = 0; cluster < count; cluster++) {
    let left = random.uniform() * nearest.reduce((sum, distance) => sum + distance, 0);
    const found = nearest.findIndex((distance) => (left -= distance) < 0);
    const row = found < 0 ? random.below(rows) : found; // all codewords are centres already
    const centre = centres.subarray(cluster * dim, (cluster + 1) * dim);
    centre.set(data.subarray(row * dim, (row + 1) * dim));
    squaredDistances(codebook, centre).forEach((distance, other) => {
      nearest[other] = cluster === 0 ? distance : Math.min(nearest[other], distance);
    });
  }
  return centres;
}

/** (K, centres). */
function squaredDistances({ data, rows, dim }: Embeddings, centres: Float64Array): Float64Array {
  const clusters = centres.length / dim;
  const distances = new Float64Array(rows * clusters);
  for (let row = 0; row < rows; row++) {
    for (let cluster = 0; cluster < clusters; cluster++) {
      let sum = 0;
      for (let d = 0; d < dim; d++) sum += (data[row * dim + d] - centres[cluster * dim + d]) ** 2;
      distances[row * clusters + cluster] = sum;
    }
  }
  return distances;
}

function moveToMeans(centres: Float64Array, { data, dim }: Embeddings, labels: Uint32Array): void {
  const counts = new Uint32Array(centres.length / dim);
  for (const label of labels) counts[label]++;
  centres.fill(0);
  labels.forEach((label, row) => {
    for (let d = 0; d < dim; d++) centres[label * dim + d] += data[row * dim + d] / counts[label];
  });
}
