import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import type { Layout } from "../../../kernels/gpu/tensor.ts";
import { parseDecoderConfig } from "../../../models/decoder/config.ts";
import { ropeFrequencies, ropeTable } from "../../../models/decoder/rope.ts";

interface Golden {
  head_dim: number;
  max_position_embeddings: number;
  rope_parameters: { rope_type: string };
  frequencies: number[];
  attention_factor: number;
}
const golden: Golden[] = JSON.parse(
  await Deno.readTextFile(new URL("../../golden/decoder/rope.json", import.meta.url)),
);

const configOf = (fields: object) =>
  parseDecoderConfig({
    model_type: "llama",
    vocab_size: 8,
    hidden_size: 32,
    intermediate_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    ...fields,
  });

golden.forEach(({ frequencies, attention_factor, ...fields }, i) => {
  Deno.test(`ropeFrequencies() equals transformers, case ${i}: ${fields.rope_parameters.rope_type}`, () => {
    const found = ropeFrequencies(configOf(fields));
    assert.ok(Math.abs(found.attentionFactor - attention_factor) < 1e-12);
    assert.equal(found.frequencies.length, frequencies.length);
    found.frequencies.forEach((frequency, pair) => {
      // The original computes in single precision.
      assert.ok(Math.abs(frequency / frequencies[pair] - 1) < 2e-6, `${frequency}, not ${frequencies[pair]}`);
    });
  });
});

for (const layout of ["texture", "buffer"] as Layout[]) {
  Deno.test(`ropeTable() of a context longer than a texture is high, ${layout}`, async () => {
    const device = await Device.open({ layout });
    const positions = device.limits.maxTextureDimension2D + 5;
    const config = configOf({ head_dim: 8, max_position_embeddings: positions });
    const table = ropeTable(device, config, positions);
    const [values] = await device.read(table);
    const last = (positions - 1) * 8; // position after position, however many a row of the table holds
    [1, 0.1, 0.01, 0.001].forEach((frequency, i) => {
      const angle = (positions - 1) * frequency;
      assert.ok(Math.abs(values[last + i] - Math.cos(angle)) < 1e-6);
      assert.ok(Math.abs(values[last + 4 + i] - Math.sin(angle)) < 1e-6);
    });
    device.destroy(table);
  });
}
