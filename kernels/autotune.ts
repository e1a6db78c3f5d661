import { attention, attentionBackward, qkvColumns } from "./attention/attention.ts";
import type { Device } from "./gpu/device.ts";
import { matmul, matmulAt, matmulBt } from "./matmul/matmul.ts";
import { noise } from "./gpu/spec.ts";
import { type Flat, groupsOf, type Matrix, type Tensor } from "./gpu/tensor.ts";
import { ATTENTION_VARIANTS, type ChoiceStore, MATMUL_VARIANTS, type ShapeClass } from "./gpu/variants.ts";

/** How `autotune()` reports and how long it takes. */
export interface AutotuneOptions {
  /** Called with a sentence for each shape class. */
  log?: (line: string) => void;
  /** Seconds that a sample of a candidate should take at least; default 0.03. */
  budget?: number;
}

/** What was measured of one candidate. */
export interface Timing {
  /** Of the variant. */
  name: string;
  /** Samples, in seconds a call; at least one. */
  seconds: readonly number[];
}

const SAMPLES = 3;
const MAX_REPEATS = 4096;
const HOPELESS = 2; // times slower than the best so far: not worth more samples
const SMALLEST_GAIN = 0.03;
/** Largest difference between candidates, relative to the largest result, by how that is stored. */
const TOLERANCE = { f32: 1e-3, f16: 5e-3 };
const SEQUENCE = 64; // keys that the last query of an attention workload sees

/**
 * Times the variants of every shape class that the device was asked for and that has no choice in `store`, and serves
 * it with the fastest from now on. Run one step of the real work first, then this, outside of `device.scope()`'s
 * promises. A candidate that fails, or whose results differ from the first's, is never chosen.
 *
 * Another variant sums in another order: tune before a run that is to be repeated bit by bit, not amid it.
 */
export async function autotune(
  device: Device,
  store: ChoiceStore,
  { log = () => {}, budget = 0.03 }: AutotuneOptions = {},
): Promise<void> {
  device.variants.useStore(store);
  const fence = device.createFlat("u32", 4);
  for (const shape of device.variants.untuned()) {
    const timings = await device.scope(() => timeCandidates(device, shape, fence, budget, log));
    if (!timings.length) continue;
    const best = pickFastest(timings);
    device.variants.adopt(shape, best);
    const figures = timings.map(({ name, seconds }) => `${name} ${(median(seconds) * 1e6).toFixed(0)} us`);
    log(`${shape.operation} ${shape.name}: ${best} (${figures.join(", ")})`);
  }
  device.destroy(fence);
}

/** Seconds a call, from the time of one call and that of `repeats` more: constant waits cancel out. */
export function slope(one: number, many: number, repeats: number): number {
  return Math.max(many - one, 0) / repeats;
}

/**
 * Name of the fastest by median. A later candidate must win by more than the noise: half the spread of either, and
 * 3 % of the earlier median.
 */
export function pickFastest(timings: readonly Timing[]): string {
  let best = timings[0];
  for (const timing of timings.slice(1)) {
    const current = median(best.seconds);
    const noise = Math.max(SMALLEST_GAIN * current, halfSpread(best.seconds), halfSpread(timing.seconds));
    if (median(timing.seconds) < current - noise) best = timing;
  }
  return best.name;
}

async function timeCandidates(
  device: Device,
  shape: ShapeClass,
  fence: Flat,
  budget: number,
  log: (line: string) => void,
): Promise<Timing[]> {
  const { call, flats } = workload(device, shape);
  const timings: Timing[] = [];
  let expected: Float32Array | undefined;
  const variants = shape.operation === "matmul" ? MATMUL_VARIANTS : ATTENTION_VARIANTS;
  try {
    for (const { name } of variants) {
      device.variants.pin(shape.operation, name);
      try {
        const actual = await device.scope(async () => (await device.read(call()))[0]);
        expected ??= actual;
        if (difference(actual, expected) > TOLERANCE[device.dtype]) {
          log(`${shape.operation} ${shape.name}: ${name} gives other numbers than the first, not used`);
          continue;
        }
        const fastest = Math.min(...timings.map(({ seconds }) => median(seconds)));
        timings.push({ name, seconds: await sample(device, call, fence, budget, fastest) });
      } catch (error) {
        log(`${shape.operation} ${shape.name}: ${name} failed, not used: ${(error as Error).message}`);
      }
    }
  } finally {
    device.variants.pin(shape.operation, undefined);
    flats.forEach((flat) => device.destroy(flat));
  }
  return timings;
}

async function sample(device: Device, call: () => Tensor, fence: Flat, budget: number, fastest: number) {
  // The fence is copied after all calls of the same submit, so that reading it waits for them.
  const time = async (calls: number) => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) device.scope(call);
    await device.read(fence);
    return (performance.now() - start) / 1000;
  };
  await time(1);
  const ones: number[] = [];
  for (let i = 0; i < SAMPLES; i++) ones.push(await time(1));
  const one = median(ones);
  let repeats = 2;
  let many = await time(1 + repeats);
  while (many - one < budget && repeats < MAX_REPEATS) {
    repeats *= 4;
    many = await time(1 + repeats);
  }
  const seconds = [slope(one, many, repeats)];
  if (seconds[0] > HOPELESS * fastest) return seconds;
  while (seconds.length < SAMPLES) seconds.push(slope(one, await time(1 + repeats), repeats));
  return seconds;
}

/** A call of the class's own shape on random numbers, and what to destroy after it. */
function workload(device: Device, shape: ShapeClass): { call: () => Tensor; flats: Flat[] } {
  if (shape.operation === "matmul") {
    const { form, rows, cols, inner } = shape;
    const a = form === "atb" ? filled(device, inner, rows) : filled(device, rows, inner);
    const b = form === "abt" ? filled(device, cols, inner) : filled(device, inner, cols);
    if (form !== "atb") return { call: () => (form === "ab" ? matmul : matmulBt)(device, a, b), flats: [] };
    const c = device.createFlat("f32", rows * groupsOf(cols) * 4);
    const call = () => {
      matmulAt(device, a, b, c, false);
      return c;
    };
    return { call, flats: [c] };
  }
  const { rows, pass, shape: heads } = shape;
  const { q, k, v } = qkvColumns(heads);
  const qkv = filled(device, rows, (heads.heads + 2 * heads.kvHeads) * heads.headDim);
  const dO = filled(device, rows, heads.heads * heads.headDim);
  const keys = new Uint32Array(4 * rows); // causal sequences one after the other
  const seen = new Uint32Array(2 * rows);
  for (let i = 0; i < rows; i++) {
    const start = i - i % SEQUENCE;
    keys.set([start, i + 1, 0, 0], 4 * i);
    seen.set([i, Math.min(start + SEQUENCE, rows)], 2 * i);
  }
  const intervals = device.createFlat("u32", keys);
  const viewers = device.createFlat("u32", seen);
  const keyValues = { matrix: qkv, k, v };
  const forward = () => attention(device, qkv, q, keyValues, keyValues, intervals, heads);
  const saved = pass === "backward" ? forward() : undefined;
  return {
    call: () => saved ? attentionBackward(device, qkv, dO, saved, intervals, viewers, heads) : forward().o,
    flats: [intervals, viewers],
  };
}

function filled(device: Device, rows: number, cols: number): Matrix {
  const next = noise(rows + cols);
  const matrix = device.matrix(rows, cols);
  device.write(matrix, Float32Array.from({ length: rows * cols }, next));
  return matrix;
}

/** Largest difference relative to the largest value; infinite where a result is not a number. */
function difference(actual: Float32Array, expected: Float32Array): number {
  let largest = 0;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]));
    const delta = Math.abs(actual[i] - expected[i]);
    if (!(delta <= error)) error = Number.isNaN(delta) ? Infinity : delta;
  }
  return error / Math.max(largest, Number.MIN_VALUE);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function halfSpread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / 2;
}
