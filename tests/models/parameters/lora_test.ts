import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { packBatch } from "../../../data/packing/batches.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { joinPieces } from "../../../base/files/pieces.ts";
import { UserError } from "../../../base/user_error.ts";
import { Tape } from "../../../kernels/tape.ts";
import { type DecoderConfig, readDecoderConfig } from "../../../models/decoder/config.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import { blockSpecs } from "../../../models/decoder/blocks.ts";
import { linear } from "../../../models/layers/layers.ts";
import { Lora, type LoraOptions } from "../../../models/parameters/lora.ts";
import { mergeLora } from "../../../models/parameters/merge_lora.ts";
import { PackedTokensBuffer } from "../../../models/packing/packed_tokens.ts";
import { Parameters, type TensorMap } from "../../../models/parameters/parameters.ts";
import type { ParameterSpec } from "../../../models/parameters/spec.ts";
import { readPeftConfig } from "../../../models/hugging_face/peft_adapter.ts";
import { readSafetensors, type StoredTensor } from "../../../models/safetensors/safetensors.ts";
import { tinyConfig, tinyDecoder, TinyTraining } from "../decoder/tiny.ts";
import { exportedAdapter } from "../../golden/decoder/make_lora.ts";

interface Base {
  labelled: number;
  sequences: { tokens: number[]; targets: number[] }[];
}

const golden = (path: string) => new URL(`../../golden/decoder/${path}`, import.meta.url);
const readText = (path: string) => Deno.readTextFile(golden(path));
const readTensors = async (path: string) => readSafetensors(await Deno.readFile(golden(path)));
const OPTIONS: LoraOptions = { r: 2, alpha: 4, dropout: 0, targetModules: "all", rankStabilised: false };

async function readBase(): Promise<{ config: DecoderConfig; golden: Base; tensors: TensorMap }> {
  return {
    config: readDecoderConfig(await readText("qwen2/config.json")),
    golden: JSON.parse(await readText("qwen2/golden.json")),
    tensors: await readTensors("qwen2/model.safetensors"),
  };
}

/** Logits after the last token of a sequence. */
async function lastLogits(decoder: Decoder, tokens: number[]): Promise<number[]> {
  const session = decoder.start([Uint32Array.from(tokens)], 1, 1);
  try {
    return await decoder.device.scope(async () => {
      const parts = await decoder.device.read(...decoder.logitParts(session.hidden));
      return parts.flatMap((part) => [...part]);
    });
  } finally {
    session.close();
  }
}

function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
) {
  assert.equal(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    assert.ok(
      Math.abs(actual[i] - expected[i]) < tolerance,
      `${what}[${i}] is ${actual[i]}, expected ${expected[i]}`,
    );
  }
}

for (const layout of ["texture", "buffer"] as const) {
  for (const name of ["all", "some"]) {
    Deno.test(`adapters give PEFT's logits, loss and gradients: ${name}, ${layout}`, async () => {
      const device = await sharedDevice(layout);
      const base = await readBase();
      const lora = readPeftConfig(await readText(`lora/${name}/adapter_config.json`));
      const adapters = await readTensors(`lora/${name}/adapter_model.safetensors`);
      const gradients = await readTensors(`lora/${name}/grads.safetensors`);
      const expected: { loss: number; lastLogits: number[][] } = JSON.parse(
        await readText(`lora/${name}/golden.json`),
      );
      const decoder = new Decoder(device, base.config, { lora });
      decoder.parameters.load(new Map([...base.tensors, ...adapters]), name);

      const capacity = { tokens: 24, rows: 24 };
      const buffer = new PackedTokensBuffer(device, capacity);
      const sequences = base.golden.sequences.map(({ tokens, targets }) => ({
        tokens: Uint32Array.from(tokens),
        targets: targets.flatMap((token, at) => token < 0 ? [] : [{ at, token, weight: 1 }]),
      }));
      buffer.write(packBatch(sequences, capacity), 1 / base.golden.labelled);
      const { packed } = buffer;
      const stats = device.createFlat("f32", 96);
      const rows = { ...packed, stats, rowLoss: device.createFlat("f32", 24) };
      device.scope(() => {
        const tape = new Tape(device, true);
        decoder.loss(tape, packed, rows, { labelSmoothing: 0 });
        tape.backward();
      });
      const [losses] = await device.read(rows.rowLoss);
      assertClose([losses.reduce((a, b) => a + b, 0)], [expected.loss], 1e-5, "loss");
      assert.equal(decoder.parameters.gradient("model.layers.0.self_attn.qkv.weight"), undefined);
      const found: TensorMap = new Map();
      const flats = decoder.parameters.segments.map((segment) => segment.gradients);
      for await (const { name, ...tensor } of decoder.parameters.readTensors(flats)) found.set(name, tensor);
      for (const [key, { data, shape }] of gradients) {
        assert.deepEqual(found.get(key)!.shape, shape, key);
        const scale = data.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-3);
        assertClose(found.get(key)!.data, data, 2e-4 * scale, key);
      }
      for (const [i, { tokens }] of base.golden.sequences.entries()) {
        assertClose(await lastLogits(decoder, tokens), expected.lastLogits[i], 1e-4, `logits of ${i}`);
      }
    });
  }
}

Deno.test("an adapter that we exported is what PEFT loaded, with its logits; merging gives the same", async () => {
  const device = await sharedDevice();
  const base = await readBase();
  const read: { sha256: Record<string, string>; lastLogits: number[] } = JSON.parse(
    await readText("lora/exported.json"),
  );
  const { lora, tensors, replaced, files } = await exportedAdapter();
  for (const { name, bytes } of files) {
    const whole = bytes instanceof Uint8Array ? bytes : await joinPieces(bytes);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", whole)).toHex();
    assert.equal(digest, read.sha256[name], name);
  }
  const config = { ...base.config, tie_word_embeddings: false };
  const [{ tokens }] = base.golden.sequences;
  const whole = new Map([...base.tensors, ...tensors, ...replaced]);
  const adapted = new Decoder(device, config, { lora: lora.options });
  adapted.parameters.load(whole, "adapted");
  assertClose(await lastLogits(adapted, tokens), read.lastLogits, 1e-4, "adapted");

  const merged: TensorMap = new Map();
  for await (const { name, ...tensor } of mergeLora(adapted.parameters.readTensors(), tensors, lora)) {
    merged.set(name, tensor);
  }
  assert.equal([...merged.keys()].some((name) => name.includes("lora")), false);
  const plain = new Decoder(device, config);
  plain.parameters.load(merged, "merged");
  assertClose(await lastLogits(plain, tokens), read.lastLogits, 1e-4, "merged");
});

Deno.test("Decoder.load() starts adapters that change nothing yet, beside new rows that are trained", async () => {
  const device = await sharedDevice();
  const base = await readBase();
  const source = {
    folder: "qwen2",
    read: (name: string) =>
      Promise.resolve({ dtype: "F32" as const, ...base.tensors.get(name)! } as StoredTensor),
  };
  const lora = { ...OPTIONS, r: 3, targetModules: ["q_proj", "v_proj"] };
  const decoder = await Decoder.load(device, source, base.config, { lora, frozenRows: 56, seed: 7 });
  const { sequences: [{ tokens }] } = base.golden;
  const plain = new Decoder(device, base.config);
  plain.parameters.load(base.tensors, "qwen2");
  assert.deepEqual(await lastLogits(decoder, tokens), await lastLogits(plain, tokens));
  // 5 rows of the embedding, then A and B of both projections in both layers.
  assert.equal(decoder.parameters.trainedCount, 5 * 32 + 2 * 3 * (32 + 32 + 32 + 16));
  assert.equal(decoder.parameters.count, plain.parameters.count + decoder.lora!.count);
  const [started] = decoder.lora!.initial(7);
  for await (const { name, data } of decoder.parameters.readTensors()) {
    if (name === started[0]) assert.deepEqual(data, started[1].data);
  }
});

Deno.test("mergeLora() refuses an adapter that is incomplete, of another shape or of no weight", async () => {
  const spec = product(3, 4);
  const lora = new Lora([spec], OPTIONS);
  const weight = { name: spec.name, shape: [3, 4], data: new Float32Array(12) };
  const adapters = lora.initial(1);
  const [[a], [b]] = adapters;
  const merge = (tensors: TensorMap, base = [weight]) => Array.fromAsync(mergeLora(base, tensors, lora));
  assert.equal((await merge(adapters)).length, 1);
  const refused = (tensors: TensorMap, message: RegExp, base?: typeof weight[]) =>
    assert.rejects(
      merge(tensors, base),
      (error) => error instanceof UserError && message.test(error.message),
    );
  await refused(new Map([[a, adapters.get(a)!]]), /one is missing/);
  await refused(new Map([...adapters, [b, { shape: [2, 2], data: new Float32Array(4) }]]), /B \(2, 2\)/);
  await refused(adapters, /no such weight/, []);
});

Deno.test("Lora starts from nothing: A uniform within 1 / sqrt(in), the same for the same seed, B zero", () => {
  const lora = new Lora([product(6, 64)], { ...OPTIONS, r: 5 });
  const [a, b] = [...lora.initial(4).values()];
  assert.deepEqual([a.shape, b.shape], [[5, 64], [6, 5]]);
  assert.equal(lora.count, 5 * 64 + 6 * 5);
  assert.ok(a.data.every((value) => Math.abs(value) <= 1 / 8));
  // A uniform variable within +-1/8 has variance 1/192; 320 of them come within 15 %.
  const variance = a.data.reduce((sum, value) => sum + value * value, 0) / a.data.length;
  assert.ok(Math.abs(variance * 192 - 1) < 0.15, `variance ${variance}`);
  assert.ok(b.data.every((value) => value === 0));
  assert.deepEqual([...lora.initial(4).values()][0], a);
  assert.notDeepEqual([...lora.initial(5).values()][0], a);
});

Deno.test("Lora adapts what it is told to and refuses settings that cannot be", async () => {
  const { config } = await readBase();
  const specs = blockSpecs(config);
  const names = new Lora(specs, { ...OPTIONS, targetModules: ["v_proj", "down_proj"] }).initial(0);
  const layers = [0, 1].flatMap((layer) =>
    ["self_attn.v_proj", "mlp.down_proj"].flatMap((module) =>
      ["A", "B"].map((side) => `base_model.model.model.layers.${layer}.${module}.lora_${side}.weight`)
    )
  );
  assert.deepEqual([...names.keys()].sort(), layers.sort());
  const refused = (options: Partial<LoraOptions>, message: RegExp) =>
    assert.throws(
      () => new Lora(specs, { ...OPTIONS, ...options }),
      (error) => error instanceof UserError && message.test(error.message),
    );
  refused({ r: 0 }, /r is 0, expected an integer/);
  refused({ alpha: -1 }, /alpha is -1/);
  refused({ dropout: 1 }, /dropout is 1/);
  refused({ targetModules: [] }, /empty, expected q_proj/);
  refused({ targetModules: ["query"] }, /a target module is query, expected some of q_proj/);
  assert.throws(() => new Lora([], { ...OPTIONS, targetModules: ["q_proj"] }), /the model has no such/);
});

Deno.test("readPeftConfig() names what it cannot use", async () => {
  const config = JSON.parse(await readText("lora/some/adapter_config.json"));
  const parse = (changes: object) => readPeftConfig(JSON.stringify({ ...config, ...changes }), "a.json");
  assert.deepEqual(parse({ target_modules: "all-linear" }), {
    r: 3,
    alpha: 5,
    dropout: 0,
    targetModules: "all",
    rankStabilised: true,
  });
  assert.throws(() => parse({ use_dora: true }), /use_dora is true, which is not supported/);
  assert.throws(() => parse({ rank_pattern: { q_proj: 2 } }), /rank_pattern is \{"q_proj":2\}/);
  assert.throws(() => parse({ peft_type: "LOHA" }), UserError);
  assert.throws(() => parse({ r: undefined }), UserError);
});

for (const layout of ["texture", "buffer"] as const) {
  Deno.test(`dropout of adapters is that of their input: gradients match central differences, ${layout}`, async () => {
    const device = await sharedDevice(layout);
    const spec = product(6, 8);
    const lora = new Lora([spec], { ...OPTIONS, r: 4, dropout: 0.4 });
    const parameters = new Parameters(device, [{ ...spec, frozenRows: 6 }, ...lora.specs]);
    const next = new PhiloxStream(2, "test");
    const noise = (length: number) => Float32Array.from({ length }, () => next.normal());
    const tensors: TensorMap = new Map([[spec.name, { shape: [6, 8], data: noise(48) }]]);
    for (const [name, { shape, data }] of lora.initial(3)) {
      tensors.set(name, { shape, data: noise(data.length) });
    }
    const input = noise(5 * 8);
    const direction = noise(5 * 6);
    const seed = device.createFlat("u32", new Uint32Array([1, 2, 3, 0]));
    const adapter = { ...lora.adapter(spec.name)!, seed };
    const dy = device.upload(direction, 5, 6);
    /** Sum of direction * linear(x), and its gradient with respect to x, in training. */
    const run = (training: boolean, x: Float32Array) =>
      device.scope(async () => {
        parameters.load(tensors, "test");
        parameters.clearGradients();
        const tape = new Tape(device, training);
        const matrix = device.upload(x, 5, 8);
        let dx = matrix;
        tape.record(() => dx = tape.gradient(matrix)!);
        const y = linear(tape, parameters, matrix, spec.name, undefined, adapter);
        tape.record(() => tape.accumulate(y, dy));
        tape.backward();
        const [values, gradient] = await device.read(y, dx);
        return { gradient, sum: values.reduce((sum, value, i) => sum + value * direction[i], 0) };
      });
    const { gradient, sum } = await run(true, input);
    assert.notEqual(sum, (await run(false, input)).sum);
    const found: TensorMap = new Map();
    await run(true, input);
    const flats = parameters.segments.map(({ gradients }) => gradients);
    for await (const { name, ...tensor } of parameters.readTensors(flats)) found.set(name, tensor);
    // The sum is linear in x, in A and in B each: differences of any width are exact but for rounding.
    const difference = async (data: Float32Array, i: number) => {
      const value = data[i];
      const sums = [];
      for (const by of [0.5, -0.5]) {
        data[i] = value + by;
        sums.push((await run(true, input)).sum);
      }
      data[i] = value;
      return sums[0] - sums[1];
    };
    const [, [a, { data: A }], [b, { data: B }]] = tensors;
    for (const i of [0, 11, 31]) assertClose([found.get(a)!.data[i]], [await difference(A, i)], 2e-4, "dA");
    for (const i of [0, 13, 23]) assertClose([found.get(b)!.data[i]], [await difference(B, i)], 2e-4, "dB");
    for (const i of [0, 17, 39]) assertClose([gradient[i]], [await difference(input, i)], 2e-4, "dx");
  });
}

/** The output projection of an imagined layer. */
function product(rows: number, cols: number): ParameterSpec {
  return { name: "layer.o_proj.weight", rows, cols, init: "normal", decay: true, product: true };
}

Deno.test("where nothing below the first block trains, its input has no gradient, and adapters have the same", async () => {
  const device = await sharedDevice("texture");
  const config = tinyConfig(32, true);
  const lora = { ...OPTIONS, r: 4 };
  const tokens = [3, 17, 4, 4, 29, 11, 0, 8, 21, 30, 2, 5];
  const run = async (trainable?: () => boolean) => {
    const decoder = tinyDecoder(device, config, { lora, trainable });
    const factors = decoder.lora!.initial(1);
    for (const [name, { data }] of factors) {
      if (name.endsWith("lora_B.weight")) data.forEach((_, i) => data[i] = 0.1 * Math.sin(i + 1));
    }
    const names = new Set(decoder.lora!.specs.map(({ name }) => name));
    decoder.parameters.load(factors, "test", names);
    const training = new TinyTraining(decoder, tokens);
    const before = device.counters.dispatches;
    await training.run(false);
    const dispatches = device.counters.dispatches - before;
    const gradients = [...names].map((name) => decoder.parameters.gradient(name)!);
    return { dispatches, gradients: await device.read(...gradients) };
  };
  const [spared, whole] = [await run(), await run(() => true)];
  // Everything trained: 4 gradients of products, that of the table and of its two blocks' norms come on top of what is spared.
  assert.ok(spared.dispatches < whole.dispatches, `${spared.dispatches} and ${whole.dispatches} dispatches`);
  spared.gradients.forEach((data, i) => assertClose(data, whole.gradients[i], 1e-5, `adapter ${i}`));
});
