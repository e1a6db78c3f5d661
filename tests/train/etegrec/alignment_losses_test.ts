import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/tape.ts";
import type { Flat, Layout, Matrix } from "../../../kernels/gpu/tensor.ts";
import {
  AlignmentLosses,
  type AlignmentLossesConfig,
  firstOccurrences,
  type SequenceItemOperands,
} from "../../../train/etegrec/alignment_losses.ts";
import { Parameters, type TensorMap } from "../../../models/parameters/parameters.ts";
import {
  codebookParameters,
  type QuantizeOptions,
  ResidualQuantizer,
} from "../../../models/quantizer/residual.ts";
import { gradientOf } from "../../models/losses/leaf_gradient.ts";

type Leaf = "sequences" | "latents" | "reconstructions" | "preferences";

interface Expected {
  loss: number;
  gradients: Record<string, number[]>;
}

interface Golden extends Omit<AlignmentLossesConfig, "siaSign" | "residualGradients"> {
  targets: number[];
  siaWeight: number;
  psaWeight: number;
  beta: number;
  quantLossWeight: number;
  inputs: Record<string, number[]>;
  sia: (Expected & Pick<AlignmentLossesConfig, "siaSign" | "residualGradients">)[];
  psa: Expected;
  quantization: (Expected & { residualGradients: boolean })[];
}

const golden: Golden = JSON.parse(
  await Deno.readTextFile(new URL("../../golden/etegrec/etegrec_losses.json", import.meta.url)),
);
const { rows, latentWidth, itemWidth, codebookSizes, targets, beta, quantLossWeight } = golden;
const first = firstOccurrences(targets, rows);

interface Step {
  tape: Tape;
  losses: AlignmentLosses;
  parameters: Parameters;
  leaf: Record<Leaf, Matrix>;
  quantize(options?: Partial<QuantizeOptions>): ReturnType<ResidualQuantizer["quantize"]>;
}

/** Forward and backward of `work`: its row losses added up, and gradients by name, absent where there is none. */
async function run(
  device: Device,
  settings: Partial<AlignmentLossesConfig>,
  work: (step: Step) => readonly Flat[],
  inputs: Record<string, number[]> = golden.inputs,
  items: readonly number[] = targets,
): Promise<{ loss: number; gradients: Record<string, ArrayLike<number> | undefined> }> {
  const config = { ...golden, siaSign: -1, residualGradients: true, ...settings } as AlignmentLossesConfig;
  const losses = new AlignmentLosses(device, config);
  const parameters = new Parameters(device, codebookParameters(codebookSizes, latentWidth));
  const codebooks: TensorMap = new Map(codebookSizes.map((size, level) => {
    const name = `codebook.${level}`;
    return [name, { shape: [size, latentWidth], data: Float32Array.from(inputs[name]) }];
  }));
  parameters.load(codebooks, "golden");
  const quantizer = new ResidualQuantizer(device, codebookSizes, rows);
  losses.setTargets(items, { sia: golden.siaWeight, psa: golden.psaWeight });
  const upload = (name: Leaf, width: number) => device.upload(Float32Array.from(inputs[name]), rows, width);
  const leaf = {
    sequences: upload("sequences", latentWidth),
    latents: upload("latents", latentWidth),
    reconstructions: upload("reconstructions", itemWidth),
    preferences: upload("preferences", itemWidth),
  };
  const names = Object.keys(leaf) as Leaf[];
  return await device.scope(async () => {
    const tape = new Tape(device, true);
    const gradients = names.map((name) => gradientOf(tape, leaf[name]));
    const quantize = (options: Partial<QuantizeOptions> = {}) => {
      const usual = { levels: codebookSizes.length, lossWeight: 0, beta };
      const { residualGradients } = config;
      return quantizer.quantize(tape, parameters, leaf.latents, { ...usual, residualGradients, ...options });
    };
    const rowLosses = work({ tape, losses, parameters, leaf, quantize });
    tape.backward();
    const [ofParameters, ...ofRows] = await device.read(parameters.gradients, ...rowLosses);
    const found = await Promise.all(gradients);
    return {
      loss: ofRows.flatMap((values) => [...values.subarray(0, rows)]).reduce((a, b) => a + b, 0),
      gradients: {
        ...Object.fromEntries(names.map((name, i) => [name, found[i]])),
        ...Object.fromEntries(
          [...parameters.toTensors(ofParameters)].map(([name, { data }]) => [name, data]),
        ),
      },
    };
  });
}

const sia =
  (operands: Partial<SequenceItemOperands> = {}) => ({ tape, losses, parameters, leaf, quantize }: Step) => {
    const { sequences, latents } = leaf;
    losses.sia(tape, parameters, { sequences, latents, quantized: quantize(), frozen: false, ...operands });
    return losses.siaLosses;
  };

function assertGradients(
  actual: Record<string, ArrayLike<number> | undefined>,
  expected: Record<string, number[]>,
) {
  for (const [name, values] of Object.entries(expected)) {
    const largest = Math.max(...values.map(Math.abs));
    const found = actual[name];
    if (largest > 0) assert.equal(found?.length, values.length, `gradient of ${name}`);
    values.forEach((value, i) => {
      const error = Math.abs((found?.[i] ?? 0) - value);
      assert.ok(error <= 1e-5 * largest, `gradient of ${name}[${i}] is ${found?.[i]}, expected ${value}`);
    });
  }
}

function assertLoss(actual: number, expected: number) {
  assert.ok(Math.abs(actual - expected) <= 1e-5 * expected, `loss ${actual}, expected ${expected}`);
}

const isSilent = (values: ArrayLike<number> | undefined) =>
  Array.from(values ?? []).every((value) => value === 0);

for (const layout of ["texture", "buffer"] as Layout[]) {
  Deno.test(`AlignmentLosses has the losses and gradients of torch, ${layout}`, async (t) => {
    const device = await sharedDevice(layout);
    for (const { siaSign, residualGradients, loss, gradients } of golden.sia) {
      const title = `sequence-item, sign ${siaSign}, residual gradients ${residualGradients}`;
      await t.step(title, async () => {
        const actual = await run(device, { siaSign, residualGradients }, sia());
        assertLoss(actual.loss, loss);
        assertGradients(actual.gradients, gradients);
      });
    }
    await t.step("preference-semantic", async () => {
      const actual = await run(device, {}, ({ tape, losses, leaf }) => {
        losses.psa(tape, leaf.reconstructions, leaf.preferences);
        return losses.psaLosses;
      });
      assertLoss(actual.loss, golden.psa.loss);
      assertGradients(actual.gradients, golden.psa.gradients);
      const { reconstructions, preferences } = actual.gradients;
      for (const values of [reconstructions, preferences]) {
        const idle = Array.from(values!).filter((_, i) => !first[Math.floor(i / itemWidth)]);
        assert.ok(isSilent(idle)); // exactly: repeated targets and padding take no part
      }
    });
  });

  Deno.test(`ResidualQuantizer with weights of rows has the loss and gradients of torch, ${layout}`, async () => {
    const device = await sharedDevice(layout);
    for (const { residualGradients, loss, gradients } of golden.quantization) {
      let factor = 0;
      const actual = await run(device, { residualGradients }, ({ losses, quantize }) => {
        const quantized = quantize({ lossWeight: quantLossWeight, weights: losses.rowWeights });
        factor = quantized.distanceWeight;
        return quantized.distances;
      });
      assertLoss(factor * actual.loss, loss);
      assertGradients(actual.gradients, gradients);
    }
  });
}

Deno.test("AlignmentLosses.sia() spares a frozen tokenizer", async () => {
  const device = await sharedDevice();
  const { loss, gradients } = golden.sia[0];
  const actual = await run(device, {}, sia({ frozen: true }));
  assertLoss(actual.loss, loss);
  assertGradients(actual.gradients, { sequences: gradients.sequences });
  assert.equal(actual.gradients.latents, undefined);
  for (const level of codebookSizes.keys()) assert.ok(isSilent(actual.gradients[`codebook.${level}`]));
});

Deno.test("AlignmentLosses gives constants no gradient, and the rest the same", async () => {
  const device = await sharedDevice();
  const { sequences: _, ...others } = golden.sia[0].gradients;
  const actual = await run(device, {}, (step) => {
    step.tape.constant(step.leaf.sequences);
    return sia()(step);
  });
  assertGradients(actual.gradients, others);
  assert.equal(actual.gradients.sequences, undefined);
  const { gradients } = await run(device, {}, ({ tape, losses, leaf }) => {
    tape.constant(leaf.preferences);
    losses.psa(tape, leaf.reconstructions, leaf.preferences);
    return losses.psaLosses;
  });
  assertGradients(gradients, { reconstructions: golden.psa.gradients.reconstructions });
  assert.equal(gradients.preferences, undefined);
});

Deno.test("AlignmentLosses is 0 for histories that lie where their targets do, and for a single target", async () => {
  const device = await sharedDevice();
  const same = { ...golden.inputs, sequences: golden.inputs.latents };
  const aligned = await run(device, {}, sia(), same);
  assert.ok(Math.abs(aligned.loss) < 1e-6);
  assert.ok(Array.from(aligned.gradients.sequences!).every((value) => Math.abs(value) < 1e-6));
  const psa = ({ tape, losses, leaf }: Step) => {
    losses.psa(tape, leaf.reconstructions, leaf.preferences);
    return losses.psaLosses;
  };
  const single = await run(device, {}, psa, golden.inputs, [3, 3, 3]);
  assert.equal(single.loss, 0);
});

Deno.test("ResidualQuantizer with a loss weight of 0 leaves codebooks and latents alone", async () => {
  const device = await sharedDevice();
  const { gradients } = await run(device, {}, ({ quantize }) => quantize().distances);
  assert.equal(gradients.latents, undefined);
  for (const level of codebookSizes.keys()) assert.ok(isSilent(gradients[`codebook.${level}`]));
});

Deno.test("AlignmentLosses.setTargets() counts each target once, and no padding", async () => {
  const device = await sharedDevice();
  const losses = new AlignmentLosses(device, { ...golden, siaSign: -1, residualGradients: true });
  assert.equal(losses.setTargets(targets, { sia: golden.siaWeight, psa: golden.psaWeight }), 5);
  const [weights, items] = await device.read(losses.rowWeights, losses.itemWeights);
  const expected = [1, 1, 0, 1, 1, 0, 1, 0, 0];
  weights.forEach((weight, row) => assert.equal(weight, Math.fround(expected[row] / 5)));
  items.forEach((weight, row) => assert.equal(weight, Math.fround(expected[row] / itemWidth / 5)));
  assert.deepEqual(first, expected.map(Boolean));
});
