import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { UserError } from "../../../base/user_error.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { noise } from "../../../kernels/gpu/spec.ts";
import { Tape } from "../../../kernels/tape.ts";
import { ResidualQuantizer } from "../../../models/quantizer/residual.ts";
import { RqVae } from "../../../models/quantizer/rq_vae.ts";
import { drawPositives } from "../../../sid/quantizer/codeword_clusters.ts";
import { CodewordDiversity } from "../../../sid/quantizer/codeword_diversity.ts";
import { CollaborativeAlignment } from "../../../sid/quantizer/collaborative_alignment.ts";
import { letter } from "../../../sid/methods/letter.ts";
import type { SidCodes, SidInput } from "../../../sid/method.ts";
import { quantizerShape } from "../../../sid/quantizer/config.ts";
import type { QuantizerStep } from "../../../sid/quantizer/hooks.ts";

const WIDTH = 6, LATENT = 4, WIDE = 5, ROWS = 7;
const shape = quantizerShape(WIDTH, [6, 4], letter.Config.parse({ layers: [5], latentDim: LATENT }));

const numbers = (seed: number, length: number) => Float32Array.from({ length }, noise(seed));
const dot = (a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number, dim: number) => {
  let sum = 0;
  for (let d = 0; d < dim; d++) sum += a[i * dim + d] * b[j * dim + d];
  return sum;
};

/** Runs one extra loss on a fresh model; gives codes, gradients and the losses that were logged. */
async function stepOf(device: Device, loss: CodewordDiversity | CollaborativeAlignment) {
  const extra = loss instanceof CollaborativeAlignment ? loss.parameters : [];
  const model = new RqVae(device, shape, extra);
  const initial = model.initial(5);
  model.load(initial, "test");
  if (loss instanceof CodewordDiversity) await loss.beforeEpoch(0, model);
  const quantizer = new ResidualQuantizer(device, shape.codebookSizes, ROWS);
  const logged: Promise<number>[] = [];
  const values = device.scope(() => {
    const tape = new Tape(device, true);
    const input = device.upload(numbers(2, ROWS * WIDTH), ROWS, WIDTH);
    const latents = model.encode(tape, input);
    const options = { levels: 2, lossWeight: 0, beta: 0, residualGradients: false };
    const quantized = quantizer.quantize(tape, model.parameters, latents, options);
    const step: QuantizerStep = {
      step: 0,
      epoch: 0,
      items: Uint32Array.from({ length: ROWS }, (_, row) => row),
      model,
      input,
      latents,
      quantized,
      log: (_term, rowLoss, rows) =>
        logged.push(
          device.read(rowLoss).then(([values]) => values.subarray(0, rows).reduce((a, b) => a + b, 0)),
        ),
    };
    loss.loss(tape, step);
    tape.backward();
    return device.read(quantized.quantized, model.parameters.gradients, ...quantized.labels);
  });
  const [z, gradients, ...labels] = await values;
  return {
    initial,
    z,
    gradients: model.parameters.toTensors(gradients),
    labels: labels.map((bits) => [...new Uint32Array(bits.buffer, bits.byteOffset, ROWS)]),
    losses: await Promise.all(logged),
  };
}

function assertNear(actual: number, expected: number, tolerance: number, what: string) {
  assert.ok(
    Math.abs(actual - expected) < tolerance * (1 + Math.abs(expected)),
    `${what}: ${actual}, not ${expected}`,
  );
}

/** Central difference of a float64 loss with respect to a number of `at`. */
function difference(loss: (at: Float64Array) => number, at: ArrayLike<number>, index: number): number {
  const moved = (step: number) =>
    loss(Float64Array.from(at, (value, i) => i === index ? value + step : value));
  return (moved(1e-5) - moved(-1e-5)) / 2e-5;
}

Deno.test("CollaborativeAlignment is InfoNCE of codes and mapped vectors, without items that nobody bought", async () => {
  const device = await sharedDevice();
  const vectors = numbers(3, ROWS * WIDE);
  vectors.fill(0, 2 * WIDE, 3 * WIDE);
  const config = { alignmentWeight: 0.5, temperature: 0.3, latentDim: LATENT, batchSize: ROWS };
  const aligned = new CollaborativeAlignment(device, { data: vectors, rows: ROWS, dim: WIDE }, config);
  const { initial, z, losses, gradients } = await stepOf(device, aligned);
  const warm = [0, 1, 3, 4, 5, 6];
  const loss = (map: ArrayLike<number>) => {
    const keys = Float64Array.from(
      { length: ROWS * LATENT },
      (_, i) => dot(vectors, Math.floor(i / LATENT), map, i % LATENT, WIDE),
    );
    const cosine = (i: number, j: number) =>
      dot(z, i, keys, j, LATENT) / Math.sqrt(dot(z, i, z, i, LATENT) * dot(keys, j, keys, j, LATENT));
    const terms = warm.map((i) => {
      const total = warm.reduce((sum, j) => sum + Math.exp(cosine(i, j) / 0.3), 0);
      return Math.log(total) - cosine(i, i) / 0.3;
    });
    return 0.5 * terms.reduce((a, b) => a + b) / warm.length;
  };
  const map = initial.get("alignment.weight")!.data;
  assert.equal(losses.length, 1);
  assertNear(losses[0], loss(map), 1e-4, "loss");
  gradients.get("alignment.weight")!.data.forEach((value, i) =>
    assertNear(value, difference(loss, map, i), 2e-3, `gradient ${i} of the map`)
  );
  assert.ok(gradients.get("encoder.0.weight")!.data.some((value) => value !== 0));
});

Deno.test("CodewordDiversity is the mean over levels and items of InfoNCE between codewords", async () => {
  const device = await sharedDevice();
  // One cluster of all codewords: each may be drawn to any other.
  const config = { diversityWeight: 0.5, clusters: 1, clusterEpochs: 1, latentDim: LATENT, seed: 42 };
  const spread = new CodewordDiversity(device, shape.codebookSizes, config);
  const { initial, labels, losses, gradients } = await stepOf(device, spread);
  shape.codebookSizes.forEach((codewords, level) => {
    const name = `codebook.${level}`;
    const logits = (book: ArrayLike<number>, k: number) =>
      Array.from({ length: codewords }, (_, j) => j === k ? -Infinity : dot(book, k, book, j, LATENT));
    const lossOf = (positives: ArrayLike<number>) => (book: ArrayLike<number>) =>
      labels[level].reduce((sum, k) => {
        const products = logits(book, k);
        return sum + Math.log(products.reduce((total, z) => total + Math.exp(z), 0)) - products[positives[k]];
      }, 0) * 0.5 / (2 * ROWS);
    const random = new PhiloxStream(42, `positives of level ${level}`, 0);
    const loss = lossOf(drawPositives(new Uint32Array(codewords), random));
    const { data } = initial.get(name)!;
    assertNear(losses[level], loss(data), 1e-5, "loss");
    gradients.get(name)!.data.forEach((value, i) =>
      assertNear(value, difference(loss, data, i), 1e-4, `gradient ${i} of ${name}`)
    );
  });
  assert.ok(gradients.get("encoder.0.weight")!.data.every((value) => value === 0));
});

const ITEMS = 240, GROUPS = 12, DIM = 8;

/** Vectors around 12 directions; what is bought of one direction goes with what is bought of the next. */
function input(): Required<Pick<SidInput, "embeddings" | "collaborative">> {
  const random = new PhiloxStream(3, "items");
  const around = (groups: number, spread: number, groupOf: (item: number) => number) => {
    const centres = Float32Array.from({ length: groups * DIM }, () => 2 * random.normal());
    const data = Float32Array.from(
      { length: ITEMS * DIM },
      (_, i) => centres[groupOf(Math.floor(i / DIM)) * DIM + i % DIM] + spread * random.normal(),
    );
    return { data, rows: ITEMS, dim: DIM };
  };
  return {
    embeddings: around(GROUPS, 1, (item) => item % GROUPS),
    collaborative: around(GROUPS / 2, 0.1, (item) => Math.floor(item % GROUPS / 2)),
  };
}

const quick = (settings: Record<string, unknown>) =>
  letter.Config.parse({
    codebookSize: 6,
    latentDim: 8,
    layers: [16],
    epochs: 60,
    evalEpochs: 60,
    batchSize: 120,
    startIterations: 10,
    learningRate: 0.005,
    lrSchedulerType: "constant",
    warmupEpochs: 0,
    uniquenessWeight: 0,
    keep: "loss",
    clusters: 3,
    ...settings,
  });

/** Share of the pairs that are bought alike whose SIDs begin alike. */
function sharedPrefixes({ codes, levels }: SidCodes): number {
  let pairs = 0;
  let shared = 0;
  for (let one = 0; one < ITEMS; one++) {
    for (let other = 0; other < one; other++) {
      if (Math.floor(one % GROUPS / 2) !== Math.floor(other % GROUPS / 2)) continue;
      pairs++;
      shared += Number(codes[one * levels] === codes[other * levels]);
    }
  }
  return shared / pairs;
}

Deno.test("letter gives items that are bought alike the same first code more often than without alignment", async () => {
  const device = await sharedDevice();
  const items = input();
  const share = async (alignmentWeight: number) =>
    sharedPrefixes(await letter.fit(device, items, quick({ alignmentWeight })));
  const [aligned, left] = [await share(1), await share(0)];
  assert.ok(aligned > 1.3 * left, `${aligned} of the pairs share a code with alignment, ${left} without`);
});

Deno.test("letter codes items by their embeddings alone, also those that nobody bought", async () => {
  const device = await sharedDevice();
  const items = input();
  items.collaborative.data.fill(0, 0, 20 * DIM);
  const config = quick({ epochs: 2, evalEpochs: 2 });
  const { model, codes } = await letter.fit(device, items, config);
  assert.deepEqual((await letter.encode(device, items.embeddings, model, config)).codes, codes);
});

Deno.test("letter asks for collaborative embeddings of the same items, some of them bought", async () => {
  const device = await sharedDevice();
  const { embeddings } = input();
  const refused = (collaborative: SidInput["collaborative"], message: RegExp) =>
    assert.rejects(
      letter.fit(device, { embeddings, collaborative }, quick({})),
      (error) => error instanceof UserError && message.test(error.message),
    );
  await refused(undefined, /--collab/);
  await refused({ data: new Float32Array(30).fill(1), rows: 10, dim: 3 }, /240 items with 10/);
  await refused({ data: new Float32Array(ITEMS), rows: ITEMS, dim: 1 }, /all 240 rows are 0/);
});
