import type { Device } from "./gpu/device.ts";
import type { Flat, Tensor } from "./gpu/tensor.ts";
import type { ChoiceStore } from "./gpu/variants.ts";
import type { TunableOperation } from "./gpu/workload.ts";
import { OPERATIONS } from "./operations.ts";

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
  for (const operation of OPERATIONS) {
    for (const shape of device.variants.untuned(operation)) {
      const timings = await device.scope(() => timeCandidates(device, operation, shape, fence, budget, log));
      if (!timings.length) continue;
      const best = pickFastest(timings);
      device.variants.adopt(operation, shape, best);
      const figures = timings.map(({ name, seconds }) => `${name} ${(median(seconds) * 1e6).toFixed(0)} us`);
      log(`${operation.name} ${operation.className(shape)}: ${best} (${figures.join(", ")})`);
    }
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
  operation: TunableOperation,
  shape: unknown,
  fence: Flat,
  budget: number,
  log: (line: string) => void,
): Promise<Timing[]> {
  const { call, flats } = operation.workload(device, shape);
  const title = `${operation.name} ${operation.className(shape)}`;
  const timings: Timing[] = [];
  let expected: Float32Array | undefined;
  try {
    for (const { name } of device.variants.candidates(operation)) {
      device.variants.pin(operation, name);
      try {
        const actual = await device.scope(async () => (await device.read(call()))[0]);
        expected ??= actual;
        if (difference(actual, expected) > TOLERANCE[device.dtype]) {
          log(`${title}: ${name} gives other numbers than the first, not used`);
          continue;
        }
        const fastest = Math.min(...timings.map(({ seconds }) => median(seconds)));
        timings.push({ name, seconds: await sample(device, call, fence, budget, fastest) });
      } catch (error) {
        log(`${title}: ${name} failed, not used: ${(error as Error).message}`);
      }
    }
  } finally {
    device.variants.pin(operation, undefined);
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
