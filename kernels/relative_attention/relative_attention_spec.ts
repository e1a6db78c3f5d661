import {
  type Queries,
  relativeAttention,
  relativeAttentionBackward,
  type RelativeShape,
} from "./relative_attention.ts";
import type { Device } from "../gpu/device.ts";
import { thresholdOf } from "../random/dropout.ts";
import { philox4x32Reference, testSeed } from "../random/philox_spec.ts";
import {
  flatOf,
  type KernelCase,
  type KernelSpec,
  matrixOf,
  type Named,
  noise,
  type Values,
} from "../gpu/spec.ts";
import type { Flat, Matrix, Tensor } from "../gpu/tensor.ts";

interface Attributes extends RelativeShape {
  /** Bucket of the key's place less the query's. */
  bucketOf?: (distance: number) => number;
  buckets: number;
  /** Of the weights; 0 for none. */
  rate: number;
}

const STREAM = 5;

const FARTHEST = 7;

const buckets = {
  // Every distance up to 7 apart, those beyond together; bucket 8 stays empty.
  bothWays: (distance: number) => (distance > 0 ? 8 : 0) + Math.min(7, Math.abs(distance)),
  backwards: (distance: number) => Math.min(3, Math.floor(Math.max(0, -distance) / 2)),
};

interface Sequence {
  queries: number;
  keys: number;
  /** Whether queries see the keys up to their own place alone. */
  causal: boolean;
  /** Whether the place of queries is the end of what they see, and the first of them sees a key less. Default: their row. */
  fromEnd?: boolean;
}

function caseOf(name: string, attributes: Attributes, sequences: Sequence[], padding: number) {
  const intervals: number[] = [];
  const viewers: number[] = [];
  let [query, key] = [0, 0];
  for (const { queries, keys, causal, fromEnd } of sequences) {
    for (let i = query; i < query + queries; i++) {
      const end = causal ? i + 1 : key + keys - Number(fromEnd === true && i === query);
      intervals.push(key, end, fromEnd ? end : i, 0);
    }
    for (let j = key; j < key + keys; j++) {
      const first = query + Number(fromEnd === true && j === key + keys - 1);
      viewers.push(causal ? j : first, query + queries);
    }
    query += queries;
    key += keys;
  }
  for (let i = 0; i < padding; i++) {
    intervals.push(0, 0, 0, 0);
    viewers.push(0, 0);
  }
  const { heads, headDim } = attributes;
  const next = noise(query * headDim);
  return {
    name,
    inputs: {
      q: matrixOf(query + padding, heads * headDim, next),
      kv: matrixOf(key + padding, 2 * heads * headDim, next),
      table: matrixOf(Math.max(1, attributes.buckets), heads, next),
      intervals: flatOf("u32", intervals),
      viewers: flatOf("u32", viewers),
      seed: testSeed(query),
    },
    attributes,
  };
}

/** 0, or 1 / (1 - rate): 16 of 128 bits that two queries, two keys and two heads share. */
function kept(query: number, key: number, head: number, { data: seed }: Values, { heads, rate }: Attributes) {
  if (rate === 0) return 1;
  const pair = Math.floor(key / 2) * Math.ceil(heads / 2) + Math.floor(head / 2);
  const words = philox4x32Reference([Math.floor(query / 2), STREAM, seed[2], 1 + pair], [seed[0], seed[1]]);
  const draw = Math.floor(words[query % 2 * 2 + key % 2] / 65536 ** (head % 2)) % 65536;
  return draw < thresholdOf(rate) ? 0 : 65536 / (65536 - thresholdOf(rate));
}

function reference({ q, kv, table, intervals, seed }: Named<Values>, attributes: Attributes) {
  const { heads, headDim, bucketOf } = attributes;
  const width = heads * headDim;
  const o = new Float64Array(q.rows * width);
  for (let i = 0; i < q.rows; i++) {
    const [start, end, place] = intervals.data.subarray(4 * i, 4 * i + 3);
    for (let h = 0; h < heads; h++) {
      const scores: number[] = [];
      for (let j = start; j < end; j++) {
        let score = bucketOf ? table.data[bucketOf(j - place) * heads + h] : 0;
        for (let c = h * headDim; c < (h + 1) * headDim; c++) {
          score += q.data[i * width + c] * kv.data[j * 2 * width + c];
        }
        scores.push(score);
      }
      const top = Math.max(...scores);
      const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
      scores.forEach((score, n) => {
        const weight = Math.exp(score - top) / total * kept(i, start + n, h, seed, attributes);
        for (let c = h * headDim; c < (h + 1) * headDim; c++) {
          o[i * width + c] += weight * kv.data[(start + n) * 2 * width + width + c];
        }
      });
    }
  }
  return { o: { kind: "matrix" as const, rows: q.rows, cols: width, data: o } };
}

function operands(device: Device, inputs: Named<Tensor>, { heads, headDim, ...attributes }: Attributes) {
  const { q, kv, table, intervals, viewers, seed } = inputs;
  const { bucketOf, rate } = attributes;
  const distances = Array.from({ length: 2 * FARTHEST + 1 }, (_, i) => i - FARTHEST);
  const buckets = bucketOf && device.createFlat("u32", Uint32Array.from(distances, bucketOf));
  return {
    queries: { matrix: q as Matrix, q: 0 } satisfies Queries,
    keys: { matrix: kv as Matrix, k: 0, v: heads * headDim },
    intervals: intervals as Flat,
    viewers: viewers as Flat,
    terms: {
      bias: buckets && { table: table as Matrix, buckets },
      dropout: rate > 0 ? { seed: seed as Flat, stream: STREAM, rate } : undefined,
    },
    shape: { heads, headDim },
  };
}

export const relativeAttentionSpec: KernelSpec<Attributes> = {
  name: "relativeAttention",
  cases: (): KernelCase<Attributes>[] => [
    caseOf("both ways", { heads: 4, headDim: 8, buckets: 16, bucketOf: buckets.bothWays, rate: 0 }, [
      { queries: 9, keys: 9, causal: false },
      { queries: 1, keys: 1, causal: false },
      { queries: 5, keys: 5, causal: false },
    ], 2),
    caseOf("causal, with dropout", {
      heads: 4,
      headDim: 20,
      buckets: 4,
      bucketOf: buckets.backwards,
      rate: 0.3,
    }, [
      { queries: 4, keys: 4, causal: true },
      { queries: 11, keys: 11, causal: true },
    ], 1),
    caseOf("other keys, places at their ends", {
      heads: 4,
      headDim: 8,
      buckets: 4,
      bucketOf: buckets.backwards,
      rate: 0,
    }, [
      { queries: 3, keys: 6, causal: false, fromEnd: true },
      { queries: 2, keys: 9, causal: false, fromEnd: true },
    ], 1),
    caseOf("other keys, no bias, with dropout", { heads: 3, headDim: 12, buckets: 0, rate: 0.5 }, [
      { queries: 4, keys: 7, causal: false },
      { queries: 3, keys: 1, causal: false },
    ], 1),
  ],
  reference,
  forward: (device, inputs, attributes) => {
    const { queries, keys, intervals, shape, terms } = operands(device, inputs, attributes);
    return { o: relativeAttention(device, queries, keys, intervals, shape, terms).o };
  },
  backward: (device, inputs, _outputs, gradients, attributes) => {
    const { queries, keys, intervals, viewers, shape, terms } = operands(device, inputs, attributes);
    const saved = relativeAttention(device, queries, keys, intervals, shape, terms);
    const dO = gradients.o as Matrix;
    const biasGradient = terms.bias && device.createFlat("f32", terms.bias.table.rows * shape.heads);
    const backward = { dO, saved, intervals, viewers, ...terms, biasGradient };
    const { dQueries, dKeys } = relativeAttentionBackward(device, queries, keys, backward, shape);
    return { q: dQueries, kv: dKeys, ...biasGradient && { table: biasGradient } };
  },
  tolerance: { backward: 1e-3 },
};
