import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { z } from "zod";
import { BeamSearch } from "../../../decode/beam_search.ts";
import { DeviceTrie } from "../../../decode/device_trie.ts";
import { Tape } from "../../../kernels/tape.ts";
import { EncoderDecoder } from "../../../models/encoder_decoder/encoder_decoder.ts";
import { PackedPairsBuffer, type PairGroup } from "../../../models/packing/packed_pairs.ts";
import { CodeTokens } from "../../../prompts/code_tokens.ts";
import { buildTrie } from "../../../sid/trie.ts";
import { encoderDecoderConfig, encoderDecoderFields } from "../../../train/encoder_decoder/pair_config.ts";
import { PairTrieLoss } from "../../../train/encoder_decoder/pair_trie_loss.ts";

// Lengths differ, and no item has all codewords of a level beside it.
const tokens = new CodeTokens([[0, 1, 4], [0, 1, 2], [0, 3], [2, 0], [2, 3, 1], [4, 4, 4]], {
  maxHistory: 4,
});
const sizes = {
  dModel: 16,
  dKv: 8,
  dFf: 16,
  numLayers: 1,
  numDecoderLayers: 1,
  numHeads: 2,
  causalEncoder: true,
};

async function opened(share: number) {
  const device = await sharedDevice();
  const settings = z.object(encoderDecoderFields).parse(sizes);
  const model = new EncoderDecoder(device, encoderDecoderConfig({ ...settings, dropout: 0 }, tokens.sizes));
  model.initialize(3, 0.5);
  const buffer = new PackedPairsBuffer(device, { inputs: 24, pairs: 8, depth: tokens.longest }, model);
  const trie = new DeviceTrie(device, buildTrie(tokens.itemTokens));
  const trieLoss = new PairTrieLoss(model, buffer, share);
  /** Loss of pairs, and its gradient. */
  const lossOf = async (groups: PairGroup[]) => {
    const places = buffer.write(groups, 1);
    trieLoss.write(trie, groups, places);
    model.parameters.clearGradients();
    const [losses, gradients] = await device.scope(() => {
      const tape = new Tape(device, true);
      const { packed } = buffer;
      trieLoss.loss(tape, trie, model.decode(tape, packed, model.encode(tape, packed.encoder)), 0);
      tape.backward();
      return device.read(packed.rowLoss, model.parameters.gradients);
    });
    return { loss: losses.reduce((sum, loss) => sum + loss, 0), gradients };
  };
  return { device, model, trie, lossOf };
}

const groupOf = (history: number[], targets: number[]): PairGroup => ({
  input: tokens.prompt(history),
  completions: targets.map((item) => ({ targets: tokens.itemTokens[item] })),
});

Deno.test("the loss within the trie is what a search over children says of an item", async () => {
  const { device, model, trie, lossOf } = await opened(1);
  const search = new BeamSearch(device, model, trie, { beams: 6, normalisation: "children" });
  const [{ leaves, scores }] = await search.run([tokens.prompt([3, 0])]);
  assert.equal(leaves.length, 6);
  for (const [i, leaf] of leaves.entries()) {
    const { loss } = await lossOf([groupOf([3, 0], [trie.host.itemsOf(leaf)[0]])]);
    assert.ok(Math.abs(loss + scores[i]) < 1e-4, `${loss}, expected ${-scores[i]}`);
  }
  search.destroy();
});

Deno.test("a share of the loss within the trie has the gradient that it has", async () => {
  for (const share of [1, 0.4]) {
    const { model, lossOf } = await opened(share);
    const groups = [groupOf([3, 0], [1, 4]), groupOf([5], [2, 3, 0])];
    const { gradients } = await lossOf(groups);
    const values = await model.parameters.read();
    const square = gradients.reduce((sum, value) => sum + value * value, 0);
    const moved = async (by: number) => {
      model.parameters.write(values.map((value, i) => value + by * gradients[i]));
      return (await lossOf(groups)).loss;
    };
    const h = 3e-3 / Math.sqrt(square);
    const rise = (await moved(h) - await moved(-h)) / (2 * h);
    assert.ok(Math.abs(rise / square - 1) < 5e-3, `share ${share}: rises by ${rise}, expected ${square}`);
  }
});
