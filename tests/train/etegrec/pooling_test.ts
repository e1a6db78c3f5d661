import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import { noise } from "../../../kernels/gpu/spec.ts";
import { Tape } from "../../../kernels/tape.ts";
import { PackedPairsBuffer, type PairModel } from "../../../models/packing/packed_pairs.ts";
import { meanPooling } from "../../../train/etegrec/pooling.ts";
import { gradientOf } from "../../models/losses/leaf_gradient.ts";

const ROWS = 12, PAIRS = 5, WIDTH = 6;
const model = (causal: boolean): PairModel => ({
  heads: [{ start: 0, rows: 10 }, { start: 10, rows: 10 }],
  startToken: 30,
  causal,
});
const targets = Uint32Array.of(3, 14);

Deno.test("meanPooling() averages what each pair sees, prefixes shared, and spreads the gradient over it", async () => {
  const device = await Device.open();
  const next = noise(4);
  const states = Float32Array.from({ length: ROWS * WIDTH }, next);
  const cases = [
    // One target alone in the second pair: pairs are not found by their number times the depth.
    {
      causal: false,
      groups: [
        { input: Uint32Array.of(1, 2, 3), completions: [{ targets }] },
        { input: Uint32Array.of(4), completions: [{ targets: targets.subarray(0, 1) }] },
        { input: Uint32Array.of(5, 6, 7, 8), completions: [{ targets }, { targets }] },
      ],
      spans: [[0, 3], [3, 4], [4, 8], [4, 8], [0, 0]],
    },
    {
      causal: true,
      groups: [
        { input: Uint32Array.of(1, 2), completions: [{ targets }] },
        { input: Uint32Array.of(3, 4, 5, 6, 7), completions: [{ end: 2, targets }, { end: 4, targets }] },
      ],
      spans: [[0, 2], [2, 4], [2, 6], [0, 0], [0, 0]],
    },
  ];
  for (const { causal, groups, spans } of cases) {
    const buffer = new PackedPairsBuffer(device, { inputs: ROWS, pairs: PAIRS, depth: 2 }, model(causal));
    buffer.write(groups, 1);
    const slopes = Float32Array.from({ length: PAIRS * WIDTH }, next);
    const [pooled, gradient] = await device.scope(async () => {
      const tape = new Tape(device, true);
      const x = device.upload(states, ROWS, WIDTH);
      const gradient = gradientOf(tape, x);
      const y = meanPooling(tape, x, buffer.packed);
      const dy = device.upload(slopes, PAIRS, WIDTH);
      tape.record(() => tape.accumulate(y, dy));
      tape.backward();
      return [(await device.read(y))[0], await gradient];
    });
    const mean = new Float64Array(PAIRS * WIDTH), spread = new Float64Array(ROWS * WIDTH);
    spans.forEach(([start, end], pair) => {
      for (let row = start; row < end; row++) {
        for (let c = 0; c < WIDTH; c++) {
          mean[pair * WIDTH + c] += states[row * WIDTH + c] / (end - start);
          spread[row * WIDTH + c] += slopes[pair * WIDTH + c] / (end - start);
        }
      }
    });
    mean.forEach((value, i) => assert.ok(Math.abs(pooled[i] - value) < 1e-5, `mean [${i}]`));
    spread.forEach((value, i) => assert.ok(Math.abs(gradient![i] - value) < 1e-5, `gradient [${i}]`));
  }
});
