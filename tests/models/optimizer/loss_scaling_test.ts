import assert from "node:assert/strict";
import { packBatch } from "../../../data/packing/batches.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { UserError } from "../../../base/user_error.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/tape.ts";
import { parseDecoderConfig } from "../../../models/decoder/config.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import { LossScaling } from "../../../models/optimizer/loss_scaling.ts";
import { Optimizer } from "../../../models/optimizer/optimizer.ts";
import { PackedTokensBuffer } from "../../../models/packing/packed_tokens.ts";

const OPTIONS = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, maxGradNorm: 1, emaDecay: 0 };
const CAPACITY = { tokens: 32, rows: 32 };

/** A tiny decoder that learns to count modulo 13, one step a call. */
function training(device: Device, { scaling, weight = 1 }: { scaling?: LossScaling; weight?: number }) {
  const config = parseDecoderConfig({
    model_type: "qwen3",
    vocab_size: 13,
    hidden_size: 16,
    intermediate_size: 24,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: 8,
    max_position_embeddings: 32,
    rms_norm_eps: 1e-6,
    rope_theta: 10000,
    tie_word_embeddings: false,
  });
  const decoder = new Decoder(device, config);
  const { parameters } = decoder;
  const random = new PhiloxStream(7, "weights");
  parameters.write(parameters.initial(() => random.normal(), () => 0.1));
  const optimizer = new Optimizer(parameters, OPTIONS, { lossScaling: scaling });
  const sequences = [0, 5].map((start) => {
    const tokens = Uint32Array.from({ length: 14 }, (_, i) => (start + i) % 13);
    const targets = Array.from({ length: 13 }, (_, at) => ({ at, token: tokens[at + 1], weight: 1 }));
    return { tokens, targets };
  });
  const buffer = new PackedTokensBuffer(device, CAPACITY);
  buffer.write(packBatch(sequences, CAPACITY), weight / 26);
  const { targets, weights } = buffer.packed;
  const rowLoss = device.createFlat("f32", CAPACITY.rows);
  const stats = device.createFlat("f32", 4 * CAPACITY.rows);
  let steps = 0;
  const step = () => {
    optimizer.prepare(steps++, 0.01);
    parameters.clearGradients();
    device.scope(() => {
      const tape = new Tape(device, true);
      const gradientWeights = scaling?.weights(weights);
      decoder.loss(tape, buffer.packed, { targets, weights, gradientWeights, stats, rowLoss }, {
        labelSmoothing: 0,
      });
      tape.backward();
    });
    optimizer.step();
  };
  const loss = async () => (await device.read(rowLoss))[0].reduce((a, b) => a + b, 0);
  const norm = async () => (await device.read(optimizer.gradientNorm))[0];
  return { parameters, step, loss, norm };
}

Deno.test("30 steps in float16 reach the loss of float32", async () => {
  const losses: number[] = [];
  for (const dtype of ["float32", "float16"] as const) {
    const device = await Device.open({ layout: "buffer", dtype });
    const scaling = dtype === "float16" ? new LossScaling(device) : undefined;
    const run = training(device, { scaling });
    run.step();
    const first = await run.loss();
    for (let i = 1; i < 30; i++) run.step();
    losses.push(await run.loss());
    assert.ok(losses.at(-1)! < first / 2, `${dtype}: loss ${losses.at(-1)} after ${first}`);
    assert.equal((await run.norm())[2], 0);
  }
  assert.ok(Math.abs(losses[0] - losses[1]) < 0.02 * losses[0], `losses ${losses}`);
});

Deno.test("gradients that float16 would lose survive with a loss scale", async () => {
  const weight = 2 ** -20; // of the loss: its gradients are below what float16 can hold
  const norms: number[] = [];
  for (const scaled of [undefined, false, true]) {
    const device = await Device.open({
      layout: "buffer",
      dtype: scaled === undefined ? "float32" : "float16",
    });
    const scaling = scaled ? new LossScaling(device) : undefined;
    const run = training(device, { scaling, weight });
    run.step();
    norms.push((await run.norm())[0]);
  }
  const [exact, lost, kept] = norms;
  assert.ok(Math.abs(kept - exact) < 0.01 * exact, `norm ${kept}, expected ${exact}`);
  assert.ok(
    Math.abs(lost - exact) > 0.05 * exact,
    `norm ${lost} of ${exact} without a scale: nothing was lost`,
  );
});

Deno.test("a step that overflows changes no weight and halves the scale; later ones train", async () => {
  const device = await Device.open({ dtype: "float16" });
  const scaling = new LossScaling(device, { most: 2 ** 24 }); // too much for float16
  const run = training(device, { scaling });
  const before = await run.parameters.read();
  run.step();
  const norm = await run.norm();
  assert.deepEqual([norm[1], norm[2], norm[3]], [0, 1, 2 ** 24]);
  assert.equal(scaling.hasDiverged(norm), false);
  assert.deepEqual(await run.parameters.read(), before);
  assert.deepEqual([...await scaling.state()], [2 ** 23, 0, 1, 0]);
  for (let i = 0; i < 20; i++) run.step();
  const [scale, good, skipped] = await scaling.state();
  assert.ok(good > 0 && skipped > 1 && scale === 2 ** (24 - skipped), `${[scale, good, skipped]}`);
  assert.notDeepEqual(await run.parameters.read(), before);
  assert.equal(scaling.hasDiverged(await run.norm()), false);
});

Deno.test("the scale doubles after enough finite steps; weights that are not finite are a divergence at the smallest", async () => {
  const device = await Device.open({ dtype: "float16" });
  const scaling = new LossScaling(device, { interval: 3, most: 8 });
  scaling.restore(Float32Array.of(2, 0, 0, 0), "a checkpoint");
  const run = training(device, { scaling });
  const scales: number[] = [];
  for (let i = 0; i < 9; i++) {
    run.step();
    scales.push((await scaling.state())[0]);
  }
  assert.deepEqual(scales, [2, 2, 4, 4, 4, 8, 8, 8, 8]);
  run.parameters.write(new Float32Array(run.parameters.length).fill(NaN));
  for (let i = 0; i < 3; i++) run.step();
  assert.equal(scaling.hasDiverged(await run.norm()), false);
  run.step();
  assert.equal(scaling.hasDiverged(await run.norm()), true);
});

Deno.test("a steady step with a loss scale allocates nothing and reads nothing back", async () => {
  const device = await Device.open({ dtype: "float16" });
  const run = training(device, { scaling: new LossScaling(device) });
  for (let i = 0; i < 2; i++) run.step();
  await run.loss();
  const { allocations, bindGroups, pipelines } = device.counters;
  for (let i = 0; i < 3; i++) run.step();
  const after = device.counters;
  assert.deepEqual(
    [after.allocations, after.bindGroups, after.pipelines],
    [allocations, bindGroups, pipelines],
  );
  await device.settle();
});

Deno.test("a loss scale of another run is refused", async () => {
  const device = await Device.open({ dtype: "float16" });
  const scaling = new LossScaling(device);
  for (
    const state of [undefined, Float32Array.of(4), Float32Array.of(0, 0, 0, 0), Float32Array.of(NaN, 0, 0, 0)]
  ) {
    assert.throws(() => scaling.restore(state, "runs/a"), (error) => {
      return error instanceof UserError &&
        error.message.startsWith("Cannot resume from runs/a: its loss scale");
    });
  }
  scaling.restore(Float32Array.of(512, 7, 1, 0), "runs/a");
  assert.deepEqual([...await scaling.state()], [512, 7, 1, 0]);
});
