import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { UserError } from "../../../base/user_error.ts";
import { Decoder, type DecoderLoadOptions } from "../../../models/decoder/decoder.ts";
import type { TensorMap } from "../../../models/parameters/parameters.ts";
import type { StoredTensor } from "../../../models/safetensors/safetensors.ts";
import { tensorsOf, tinyConfig, tinyTensors, withLimits } from "../decoder/tiny.ts";

const TABLES = ["model.embed_tokens.weight", "lm_head.weight"];

/** Tensors as a checkpoint, `at` named ones replaced. */
function sourceOf(tensors: TensorMap, replaced: Record<string, StoredTensor> = {}) {
  return {
    folder: "a checkpoint",
    read: (name: string): Promise<StoredTensor> => {
      const { shape, data } = tensors.get(name)!;
      return Promise.resolve(replaced[name] ?? { dtype: "F32", shape, data: data.slice() });
    },
  };
}

async function loaded(vocabulary: number, options: DecoderLoadOptions, spare = 0) {
  const device = await sharedDevice("texture");
  const source = sourceOf(tinyTensors(tinyConfig(40 + spare, false)));
  const decoder = await withLimits(
    device,
    { maxTextureDimension2D: 32 },
    () => Decoder.load(device, source, tinyConfig(vocabulary, false), options),
  );
  const tensors = await tensorsOf(decoder);
  decoder.destroy();
  return tensors;
}

Deno.test("Decoder.load() reads every tensor once, whatever is frozen", async () => {
  const expected = tinyTensors(tinyConfig(40, false));
  for (const options of [{}, { frozenRows: 35 }, { trainable: () => false }]) {
    const tensors = await loaded(40, options);
    for (const [name, tensor] of expected) assert.deepEqual(tensors.get(name), tensor, name);
    assert.equal(tensors.size, expected.size);
  }
});

Deno.test("Decoder.load() makes new rows of the mean of the old ones and noise, in embedding and head", async () => {
  const old = tinyTensors(tinyConfig(40, false));
  const tensors = await loaded(240, { firstNewRow: 36, newRowNoise: 0.2, seed: 5, frozenRows: 36 });
  for (const name of TABLES) {
    const { shape, data } = tensors.get(name)!;
    assert.deepEqual(shape, [240, 16]);
    const known = old.get(name)!.data.subarray(0, 36 * 16);
    assert.deepEqual(data.subarray(0, 36 * 16), known);
    const fresh = data.subarray(36 * 16);
    const noise = fresh.map((value, i) => {
      let mean = 0;
      for (let row = 0; row < 36; row++) mean += known[row * 16 + i % 16] / 36;
      return value - mean;
    });
    const average = noise.reduce((a, b) => a + b, 0) / noise.length;
    const deviation = Math.sqrt(noise.reduce((a, b) => a + b * b, 0) / noise.length);
    assert.ok(Math.abs(average) < 0.004, `${name}: mean ${average}`);
    assert.ok(Math.abs(deviation - 0.2 / 4) < 0.002, `${name}: deviation ${deviation}`);
    assert.equal(new Set(fresh).size, fresh.length);
  }
  assert.notDeepEqual(tensors.get(TABLES[0])!.data.slice(-16), tensors.get(TABLES[1])!.data.slice(-16));
});

Deno.test("Decoder.load() gives a new row the same values whatever their number, others by another seed", async () => {
  const rows = (tensors: TensorMap) => tensors.get(TABLES[0])!.data.slice(36 * 16, 50 * 16);
  const few = await loaded(50, { firstNewRow: 36, seed: 1 });
  const many = await loaded(64, { firstNewRow: 36, seed: 1 });
  assert.deepEqual(rows(few), rows(many));
  assert.notDeepEqual(rows(few), rows(await loaded(50, { firstNewRow: 36, seed: 2 })));
});

Deno.test("Decoder.load() says which tensor is not as the config has it", async () => {
  const fails = async (
    vocabulary: number,
    replaced: Record<string, StoredTensor>,
    pattern: RegExp,
    options?: DecoderLoadOptions,
  ) => {
    const device = await sharedDevice("texture");
    const before = { ...device.memory };
    const source = sourceOf(tinyTensors(tinyConfig(40, false)), replaced);
    await assert.rejects(Decoder.load(device, source, tinyConfig(vocabulary, false), options), (error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, pattern);
      return true;
    });
    const { buffers, textures } = device.memory;
    assert.deepEqual([buffers, textures], [before.buffers, before.textures], "nothing is left behind");
  };
  const stored = (shape: number[], value: number): StoredTensor => ({
    dtype: "F32",
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value),
  });
  const norm = "model.norm.weight";
  await fails(
    40,
    { [norm]: stored([15], 1) },
    /a checkpoint: tensor model\.norm\.weight has shape \[15\], expected \[16\]/,
  );
  await fails(40, { [norm]: stored([16], NaN) }, /model\.norm\.weight holds NaN at 0, expected finite/);
  await fails(48, {}, /embed_tokens\.weight has shape \[40,16\], expected \[48,16\]/);
  const wide = { [TABLES[1]]: stored([40, 12], 1) };
  await fails(48, wide, /lm_head\.weight has shape \[40,12\], expected \[48,16\]/, { firstNewRow: 40 });
  await fails(32, {}, /embed_tokens\.weight has shape \[40,16\], expected \[32,16\]/, { firstNewRow: 20 });
});
