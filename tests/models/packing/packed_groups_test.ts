import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { packBatch } from "../../../data/packing/batches.ts";
import type { CompletionGroup } from "../../../data/packing/group_batches.ts";
import type { TokenNormalisation } from "../../../kernels/trie/log_softmax.ts";
import type { Decoder } from "../../../models/decoder/decoder.ts";
import { PackedTokensBuffer } from "../../../models/packing/packed_tokens.ts";
import { tinyConfig, tinyDecoder } from "../decoder/tiny.ts";
import { groupOf, probabilities, treeProbabilities, VOCABULARY } from "./tiny_groups.ts";

const groups = [groupOf([1, 12, 14, 11, 13, 18], [0, 1, 4, 1]), groupOf([1, 10], [5, 2, 3])];
const actions = groups.flatMap(({ completions }) => completions.map(({ length }) => length));

/** The same from a sequence a completion, its prompt copied. */
async function copiedProbabilities(
  decoder: Decoder,
  groups: readonly CompletionGroup[],
  normalisation: TokenNormalisation,
  coefficients: readonly number[],
) {
  const { device } = decoder;
  const sequences = groups.flatMap(({ prompt, completions }) =>
    completions.map((tokens) => ({
      tokens: Uint32Array.of(...prompt, ...tokens.subarray(0, -1)),
      targets: Array.from(tokens, (token, i) => ({ at: prompt.length - 1 + i, token, weight: 1 })),
    }))
  );
  const count = (key: "tokens" | "targets") => sequences.reduce((sum, own) => sum + own[key].length, 0);
  const capacity = { tokens: count("tokens"), rows: count("targets") };
  const buffer = new PackedTokensBuffer(device, capacity);
  buffer.write(packBatch(sequences, capacity), 1);
  const choices = {
    offsets: device.createFlat("u32", Uint32Array.from({ length: capacity.rows + 1 }, (_, row) => row)),
    tokens: buffer.packed.targets,
    nodes: device.createFlat(
      "u32",
      Uint32Array.from(groups.flatMap(({ nodes }) => nodes.flatMap((places) => [...places]))),
    ),
  };
  return await probabilities(decoder, buffer.packed, choices, normalisation, Float32Array.from(coefficients));
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string) {
  assert.equal(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    assert.ok(error < 2e-5 * (1 + Math.abs(expected[i])), `${what}[${i}]: ${actual[i]}, not ${expected[i]}`);
  }
}

for (const normalisation of ["vocab", "children"] as const) {
  Deno.test(`a packed tree has the probabilities and gradients of sequences with copied prompts: ${normalisation}`, async () => {
    const decoder = tinyDecoder(await sharedDevice("texture"), tinyConfig(VOCABULARY, true));
    const coefficients = actions.flatMap((length, c) =>
      Array.from({ length }, (_, i) => Math.sin(3 * c + i + 1) / 4)
    );
    const tree = await treeProbabilities(decoder, groups, normalisation, coefficients);
    const copied = await copiedProbabilities(decoder, groups, normalisation, coefficients);
    assertClose(tree.logProbs, copied.logProbs, "logProbs");
    assertClose(tree.gradients, copied.gradients, "gradients");
    const largest = copied.gradients.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    assert.ok(largest > 0.1, `the largest gradient is ${largest}`);
    decoder.destroy();
  });
}
