import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { UserError } from "../../../base/user_error.ts";
import type { ReconstructionLoss } from "../../../kernels/quantizer/reconstruction.ts";
import { Tape } from "../../../kernels/tape.ts";
import type { Layout } from "../../../kernels/gpu/tensor.ts";
import type { TensorMap } from "../../../models/parameters/parameters.ts";
import { ResidualQuantizer } from "../../../models/quantizer/residual.ts";
import { reconstruction, RqVae } from "../../../models/quantizer/rq_vae.ts";
import { rqVae } from "../../../sid/methods/rq_vae.ts";
import type { QuantizerStep } from "../../../sid/quantizer/hooks.ts";
import { trainQuantizer } from "../../../sid/quantizer/training.ts";

type Numbers = Record<string, number[]>;

interface Golden {
  sizes: number[];
  codebookSizes: number[];
  beta: number;
  quantLossWeight: number;
  learningRate: number;
  weightDecay: number;
  maxGradNorm: number;
  steps: number;
  input: number[];
  cases: {
    shapes: Record<string, [number, number]>;
    initial: Numbers;
    batchNorm: boolean;
    reconstructionLoss: ReconstructionLoss;
    residualGradients: boolean;
    reconstruction: number;
    quantization: number;
    codes: number[][];
    gradients: Numbers;
    losses: number[];
    trained: Numbers;
  }[];
}

const golden: Golden = JSON.parse(
  await Deno.readTextFile(new URL("../../golden/clustering/rq_vae.json", import.meta.url)),
);
const [width, ...widths] = golden.sizes;
const shape = {
  width,
  layers: widths.slice(0, -1),
  latentWidth: widths.at(-1)!,
  codebookSizes: golden.codebookSizes,
  skip: false,
};
const data = { data: Float32Array.from(golden.input), rows: golden.input.length / width, dim: width };
const { beta, quantLossWeight, learningRate, weightDecay, maxGradNorm, steps } = golden;

function initialTensors({ initial, shapes }: Golden["cases"][number]): TensorMap {
  return new Map(
    Object.entries(initial).map(([name, values]) => [
      name,
      { shape: shapes[name], data: Float32Array.from(values) },
    ]),
  );
}

function assertClose(actual: TensorMap, expected: Numbers, tolerance: number) {
  for (const [name, values] of Object.entries(expected)) {
    const { data } = actual.get(name)!;
    assert.equal(data.length, values.length, name);
    values.forEach((value, i) => {
      assert.ok(Math.abs(data[i] - value) < tolerance, `${name}[${i}] is ${data[i]}, expected ${value}`);
    });
  }
}

for (const layout of ["texture", "buffer"] as Layout[]) {
  for (const expected of golden.cases) {
    const { reconstructionLoss, residualGradients, batchNorm } = expected;
    const extras = `${residualGradients ? " with residual gradients" : ""}${
      batchNorm ? " with batch norm" : ""
    }`;
    const title = `${reconstructionLoss}${extras}, ${layout}`;
    const caseShape = { ...shape, batchNorm };

    Deno.test(`RqVae has the losses, codes and gradients of torch: ${title}`, async () => {
      const device = await sharedDevice(layout);
      const model = new RqVae(device, caseShape);
      model.load(initialTensors(expected), "golden");
      const quantizer = new ResidualQuantizer(device, golden.codebookSizes, data.rows);
      const weights = device.createFlat("f32", new Float32Array(data.rows).fill(1 / data.data.length));
      const rowLoss = device.createFlat("f32", data.rows);
      const { quantized, values } = device.scope(() => {
        const tape = new Tape(device, true);
        const input = device.upload(data.data, data.rows, width);
        const options = {
          levels: golden.codebookSizes.length,
          lossWeight: quantLossWeight,
          beta,
          residualGradients,
        };
        const quantized = quantizer.quantize(tape, model.parameters, model.encode(tape, input), options);
        const prediction = model.decode(tape, quantized.quantized);
        reconstruction(tape, prediction, input, weights, rowLoss, reconstructionLoss);
        tape.backward();
        const values = device.read(
          rowLoss,
          model.parameters.gradients,
          ...quantized.distances,
          ...quantized.labels,
        );
        return { quantized, values };
      });
      const [losses, gradients, ...levels] = await values;
      const sum = (array: Float32Array) => array.reduce((total, value) => total + value, 0);
      const distances = levels.slice(0, golden.codebookSizes.length);
      const quantization = quantized.distanceWeight * distances.map(sum).reduce((a, b) => a + b);
      assert.ok(Math.abs(sum(losses) - expected.reconstruction) < 1e-5);
      assert.ok(Math.abs(quantization - expected.quantization) < 1e-5);
      levels.slice(distances.length).forEach((bits, level) => {
        const labels = [...new Uint32Array(bits.buffer, bits.byteOffset, bits.length)];
        assert.deepEqual(labels, expected.codes.map((codes) => codes[level]));
      });
      assertClose(model.parameters.toTensors(gradients), expected.gradients, 2e-6);
    });

    Deno.test(`trainQuantizer() takes the ten steps of torch's AdamW: ${title}`, async () => {
      const config = rqVae.Config.parse({
        epochs: steps,
        evalEpochs: steps,
        warmupEpochs: 0,
        learningRate,
        weightDecay,
        maxGradNorm,
        beta,
        quantLossWeight,
        reconstructionLoss,
        residualGradients,
        uniquenessWeight: 0,
        lrSchedulerType: "constant",
      });
      const device = await sharedDevice(layout);
      const { checkpoints: { loss: tensors }, kept } = await trainQuantizer(device, data, caseShape, config, {
        initial: () => initialTensors(expected),
      });
      // A bias before a batch norm has gradient 0: AdamW makes steps of its rounding errors, and running means follow.
      const isNoise = (name: string) =>
        name.endsWith("running_mean") || tensors.has(name.replace(/\.bias$/, ".norm.weight"));
      const trained = Object.entries(expected.trained).filter(([name]) => !batchNorm || !isNoise(name));
      assertClose(tensors, Object.fromEntries(trained), batchNorm ? 2e-3 : 2e-4);
      assert.ok(Math.abs(kept.loss - expected.losses.at(-1)!) < 1e-4);
      assert.equal(kept.epoch, steps);
    });
  }
}

/** Points around 40 directions, far enough apart that k-means finds them. */
function clusters(rows: number, dim: number) {
  const random = new PhiloxStream(5, "clusters");
  const centres = Float32Array.from({ length: 40 * dim }, () => 3 * random.normal());
  const values = Float32Array.from(
    { length: rows * dim },
    (_, i) => centres[Math.floor(i / dim) % 40 * dim + i % dim] + random.normal(),
  );
  return { data: values, rows, dim };
}

const small = {
  width: 8,
  layers: [16],
  latentWidth: 8,
  codebookSizes: [12, 6],
  skip: false,
  batchNorm: false,
};
const quick = (settings: Record<string, unknown>) =>
  rqVae.Config.parse({
    epochs: 6,
    evalEpochs: 3,
    batchSize: 64,
    warmupEpochs: 0,
    lrSchedulerType: "constant",
    learningRate: 1e-3,
    uniquenessWeight: 0,
    ...settings,
  });

Deno.test("trainQuantizer() revives codewords that nothing uses", async () => {
  const device = await sharedDevice();
  const far = (fresh: TensorMap) => {
    fresh.get("codebook.0")!.data.fill(100, 2 * 8); // all but two codewords lie far from every latent
    return fresh;
  };
  const usage = async (resetDeadCodes: boolean) => {
    const config = quick({ resetDeadCodes, keep: "gini" });
    return await trainQuantizer(device, clusters(200, 8), small, config, { initial: far });
  };
  const [reset, left] = [await usage(true), await usage(false)];
  assert.ok(reset.revived >= 10);
  assert.equal(reset.kept.usage[0], 1);
  assert.equal(left.revived, 0);
  assert.ok(left.kept.usage[0] <= 2 / 12);
});

Deno.test("trainQuantizer() stops early when collisions no longer fall", async () => {
  const config = quick({ epochs: 100, evalEpochs: 1, patience: 2, learningRate: 1e-9 });
  const { epochs, stopped, kept } = await trainQuantizer(
    await sharedDevice(),
    clusters(200, 8),
    small,
    config,
  );
  assert.equal(stopped, "early");
  assert.equal(epochs, 3);
  assert.ok(kept.collisionRate > 0);
});

Deno.test("trainQuantizer() keeps the best epoch by each criterion", async () => {
  const device = await sharedDevice();
  for (const keep of ["loss", "collision", "gini"] as const) {
    const config = quick({ epochs: 12, evalEpochs: 2, keep, learningRate: 0.01 });
    const { kept, best, checkpoints } = await trainQuantizer(device, clusters(200, 8), small, config);
    assert.equal(kept, best[keep]);
    assert.equal(checkpoints.loss === checkpoints.gini, best.loss === best.gini);
    assert.ok(best.loss.loss <= Math.min(best.collision.loss, best.gini.loss));
    assert.ok(best.collision.collisionRate <= Math.min(best.loss.collisionRate, best.gini.collisionRate));
    assert.ok(best.gini.gini <= Math.min(best.loss.gini, best.collision.gini));
  }
});

Deno.test("trainQuantizer() does not train on items that are held out", async () => {
  const seen = new Set<number>();
  const extraLoss = (_tape: Tape, { items }: QuantizerStep) => items.forEach((item) => seen.add(item));
  const config = quick({ holdOut: 0.25 });
  const options = { hooks: { extraLoss } };
  const { kept } = await trainQuantizer(await sharedDevice(), clusters(200, 8), small, config, options);
  assert.equal(seen.size, 150);
  assert.equal(kept.unseen!.items, 50);
  assert.ok(kept.unseen!.reconstruction > kept.reconstruction);
});

Deno.test("trainQuantizer() hooks choose batches and levels, and see every step and epoch", async () => {
  const epochs: number[] = [];
  const calls: { step: number; epoch: number; items: number; levels: number }[] = [];
  const hooks = {
    activeLevels: (step: number) => 1 + step % 2,
    batches: (_epoch: number, items: Uint32Array) => [items.subarray(0, 10), items.subarray(10, 30)],
    beforeEpoch: (epoch: number) => void epochs.push(epoch),
    extraLoss: (_tape: Tape, { step, epoch, items, quantized }: QuantizerStep) => {
      calls.push({ step, epoch, items: items.length, levels: quantized.labels.length });
    },
  };
  const config = quick({ epochs: 2, evalEpochs: 2 });
  await trainQuantizer(await sharedDevice(), clusters(100, 8), small, config, { hooks });
  assert.deepEqual(epochs, [0, 1]);
  assert.deepEqual(calls, [
    { step: 0, epoch: 0, items: 10, levels: 1 },
    { step: 1, epoch: 0, items: 20, levels: 2 },
    { step: 2, epoch: 1, items: 10, levels: 1 },
    { step: 3, epoch: 1, items: 20, levels: 2 },
  ]);
});

Deno.test("trainQuantizer() adds the gradients of a hook's loss, and its logged terms", async () => {
  const pulled = { ...small, codebookSizes: [1] };
  const hooks = {
    // A loss of 1000 a step whose gradient pushes the only codeword up.
    extraLoss: (tape: Tape, { model, log }: QuantizerStep) => {
      const gradient = model.parameters.gradient("codebook.0")!;
      tape.device.write(gradient, new Float32Array(gradient.length).fill(-1e3));
      log("pull", ones, 4, 250);
    },
  };
  const device = await sharedDevice();
  const ones = device.createFlat("f32", new Float32Array(4).fill(1));
  const config = quick({ epochs: 1, learningRate: 0.01, codebookStart: "uniform" });
  const start = (fresh: TensorMap) => {
    fresh.get("codebook.0")!.data.fill(0);
    return fresh;
  };
  const { checkpoints: { collision: tensors }, kept } = await trainQuantizer(
    device,
    clusters(20, 8),
    pulled,
    config,
    {
      hooks,
      initial: start,
    },
  );
  tensors.get("codebook.0")!.data.forEach((value) => assert.ok(Math.abs(value - 0.01) < 1e-4));
  assert.ok(kept.loss > 1000 && kept.loss < 1100);
});

Deno.test("trainQuantizer() refuses to go on from a loss that is not finite", async () => {
  const huge = clusters(100, 8);
  huge.data.fill(1e19);
  await assert.rejects(
    trainQuantizer(await sharedDevice(), huge, small, quick({ codebookStart: "uniform" })),
    (error) => error instanceof UserError && /loss is (NaN|Infinity) in epoch/.test(error.message),
  );
});

Deno.test("trainQuantizer() gives near twins codes of their own with the uniqueness loss", async () => {
  const random = new PhiloxStream(5, "points");
  const points = Float32Array.from({ length: 60 * 8 }, () => random.normal());
  const twins = points.map((value) => value + 0.1 * random.normal());
  const pairs = { data: Float32Array.of(...points, ...twins), rows: 120, dim: 8 };
  const roomy = { ...small, layers: [32], codebookSizes: [16, 16, 16] };
  const device = await sharedDevice();
  const rate = async (uniquenessWeight: number) => {
    const config = quick({
      epochs: 80,
      evalEpochs: 4,
      batchSize: 60,
      learningRate: 0.01,
      residualGradients: true,
      uniquenessWeight,
    });
    return (await trainQuantizer(device, pairs, roomy, config)).kept.collisionRate;
  };
  const [plain, unique] = [await rate(0), await rate(100)];
  assert.ok(plain > 0.2 && unique < 0.6 * plain, `${unique} with the loss, ${plain} without`);
});

Deno.test("trainQuantizer() with Sinkhorn spreads every batch over the codewords", async () => {
  const used = async (sinkhornEpsilons: number[]) => {
    let labels: Promise<Uint32Array> | undefined;
    const extraLoss = (tape: Tape, { quantized }: QuantizerStep) => {
      labels = tape.device.readU32(quantized.labels[0]);
    };
    const config = quick({
      epochs: 1,
      evalEpochs: 1,
      batchSize: 60,
      sinkhornEpsilons,
      codebookStart: "uniform",
    });
    await trainQuantizer(await sharedDevice(), clusters(60, 8), small, config, { hooks: { extraLoss } });
    return new Set(await labels).size;
  };
  assert.equal(await used([0.01, 0]), 12);
  assert.ok(await used([]) < 12);
});

Deno.test("trainQuantizer() refuses Sinkhorn epsilons of another number than the levels", async () => {
  await assert.rejects(
    trainQuantizer(await sharedDevice(), clusters(60, 8), small, quick({ sinkhornEpsilons: [0.003] })),
    (error) => error instanceof UserError && /train 2 levels with 1 numbers/.test(error.message),
  );
});
