import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { z } from "zod";
import { DeviceTrie } from "../../../decode/device_trie.ts";
import { EncoderDecoder } from "../../../models/encoder_decoder/encoder_decoder.ts";
import { Optimizer } from "../../../models/optimizer/optimizer.ts";
import type { PairGroup } from "../../../models/packing/packed_pairs.ts";
import { CodeTokens } from "../../../prompts/code_tokens.ts";
import { TermLog } from "../../../sid/quantizer/term_log.ts";
import { buildTrie } from "../../../sid/trie.ts";
import { encoderDecoderConfig, encoderDecoderFields } from "../../../train/encoder_decoder/pair_config.ts";
import { PairStep } from "../../../train/encoder_decoder/pair_step.ts";
import { meanLosses } from "../../../train/encoder_decoder/pair_training.ts";

// Lengths differ, so that micro batches of as many pairs have other weights.
const tokens = new CodeTokens([[0, 1, 4], [0, 1, 2], [0, 3], [2, 0], [2, 3, 1], [4, 4, 4]], {
  maxHistory: 4,
});
const group = (history: number[], item: number): PairGroup => ({
  input: tokens.prompt(history),
  completions: [{ targets: tokens.itemTokens[item] }],
});
const groups = [group([0, 1], 2), group([3], 3), group([2, 5], 4), group([4, 1, 0], 5)];

/** Weights after a step on these micro batches, and the loss that it logged. */
async function stepOn(micro: PairGroup[][], trieLossWeight: number) {
  const device = await sharedDevice();
  const sizes = { dModel: 16, dKv: 8, dFf: 16, numLayers: 1, numDecoderLayers: 1, numHeads: 2 };
  const settings = z.object(encoderDecoderFields).parse(sizes);
  const model = new EncoderDecoder(device, encoderDecoderConfig({ ...settings, dropout: 0 }, tokens.sizes));
  model.initialize(3, 0.5);
  const optimizer = new Optimizer(model.parameters, {
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-3, // gradients near 0 would make noise count
    weightDecay: 0,
    maxGradNorm: 1,
    emaDecay: 0,
  });
  const parts = {
    model,
    optimizer,
    capacity: { items: 8, pairs: 4 },
    tokensPerItem: tokens.longest,
    microBatches: 2,
  };
  const step = new PairStep(parts, { dropout: 0, labelSmoothing: 0.1, trieLossWeight, seed: 1 });
  const log = new TermLog(device, 4);
  await step.run(0, micro, new DeviceTrie(device, buildTrie(tokens.itemTokens)), 0.01, log);
  const { loss } = await meanLosses(log, 1);
  return { loss, weights: await model.parameters.read() };
}

for (const trieLossWeight of [0, 0.5]) {
  Deno.test(`micro batches of a step make the gradient and the loss of all their pairs: --trie-loss-weight ${trieLossWeight}`, async () => {
    const whole = await stepOn([groups], trieLossWeight);
    const parts = await stepOn([groups.slice(0, 1), groups.slice(1)], trieLossWeight);
    const fewer = await stepOn([groups.slice(1)], trieLossWeight);
    assert.ok(Math.abs(parts.loss - whole.loss) < 1e-5, `${parts.loss} and ${whole.loss}`);
    const difference = (a: Float32Array, b: Float32Array) =>
      a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
    assert.ok(difference(parts.weights, whole.weights) < 1e-5);
    assert.ok(difference(fewer.weights, whole.weights) > 1e-3);
  });
}
