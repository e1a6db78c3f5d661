import assert from "node:assert/strict";
import { heldState } from "../../../models/optimizer/optimizer.ts";
import { ownDevice, sharedDevice } from "../../shared_device.ts";
import { BeamSearch } from "../../../decode/beam_search.ts";
import { DeviceTrie } from "../../../decode/device_trie.ts";
import type { Layout } from "../../../kernels/gpu/tensor.ts";
import { noise } from "../../../kernels/gpu/spec.ts";
import { TOKEN_NORMALISATIONS } from "../../../kernels/trie/log_softmax.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import { layoutParameters } from "../../../models/parameters/layout.ts";
import { Parameters, type TensorMap } from "../../../models/parameters/parameters.ts";
import type { ParameterSpec } from "../../../models/parameters/spec.ts";
import { buildTrie } from "../../../sid/trie.ts";
import fc from "../../property.ts";
import {
  tensorsOf,
  tinyConfig,
  tinyDecoder,
  tinyTensors,
  TinyTraining,
  withLimits,
} from "../decoder/tiny.ts";

const VOCABULARY = 70;
// Tokens of all blocks of 32, the first and the last among them, some twice.
const TOKENS = [0, 69, 31, 32, 31, 5, 64, 63, 40, 69, 5, 1];
const NARROW = { maxTextureDimension2D: 32, maxStorageBufferBindingSize: 32 * 64 };
const LAYOUTS: Layout[] = ["texture", "buffer"];

function assertSame(actual: TensorMap, expected: TensorMap, tolerance: number) {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [name, { shape, data }] of expected) {
    const found = actual.get(name)!;
    assert.deepEqual(found.shape, shape, name);
    data.forEach((value, i) => {
      const error = Math.abs(found.data[i] - value);
      assert.ok(
        error <= tolerance * (1 + Math.abs(value)),
        `${name}[${i}] is ${found.data[i]}, expected ${value}`,
      );
    });
  }
}

function spec(name: string, rows: number, cols: number, more: Partial<ParameterSpec> = {}): ParameterSpec {
  return { name, rows, cols, init: "normal", decay: true, product: true, ...more };
}

Deno.test("layoutParameters() gives every row one block, trained ones places without gap or overlap", () => {
  const specs = fc.array(
    fc.record({
      rows: fc.integer({ min: 1, max: 200 }),
      cols: fc.integer({ min: 1, max: 20 }),
      frozen: fc.double({ min: 0, max: 1, noNaN: true }),
      decay: fc.boolean(),
    }),
    { maxLength: 6 },
  );
  fc.assert(fc.property(specs, fc.integer({ min: 16, max: 64 }), (parameters, matrixRows) => {
    const limits = { matrixRows, bindingBytes: 4096, bufferBytes: 16384 };
    const layout = layoutParameters(
      parameters.map(({ rows, cols, frozen, decay }, i) =>
        spec(`${i}`, rows, cols, { decay, frozenRows: Math.floor(frozen * rows) })
      ),
      limits,
    );
    const used: number[][] = [];
    for (const { spec: { rows, cols, frozenRows, decay }, blocks } of layout.parameters) {
      const stride = Math.ceil(cols / 4) * 4;
      let next = 0;
      for (const { start, rows: count, trained } of blocks) {
        assert.equal(start, next);
        next += count;
        assert.ok(count <= matrixRows && count * stride * 4 <= 4096);
        assert.equal(trained === undefined, start < frozenRows!);
        if (!trained) continue;
        const segment = layout.segments[trained.segment];
        assert.equal(trained.length, count * stride);
        assert.equal(trained.at % 64, 0);
        assert.equal(trained.at < segment.decayLength, decay);
        used.push([segment.base + trained.at, segment.base + trained.at + trained.length]);
      }
      assert.equal(next, rows);
      const places = blocks.flatMap(({ trained }) =>
        trained ? [layout.segments[trained.segment].base + trained.at] : []
      );
      const first = blocks.find(({ trained }) => trained);
      places.forEach((place, i) => {
        const block = blocks[blocks.indexOf(first!) + i];
        assert.equal(place - places[0], (block.start - first!.start) * stride, "rows follow each other");
      });
    }
    for (const [i, [start]] of used.slice(1).entries()) {
      assert.ok(start >= used[i][1] && start - used[i][1] < 64);
    }
    for (const { length } of layout.segments) assert.ok(length * 4 <= 16384);
  }));
});

for (const layout of LAYOUTS) {
  for (const tied of [true, false]) {
    Deno.test(`Decoder with a vocabulary in blocks trains as one in one block, ${layout}, tied ${tied}`, async () => {
      const config = tinyConfig(VOCABULARY, tied);
      const device = await sharedDevice(layout);
      const [whole, cut] = [{}, NARROW].map((limits) => {
        const decoder = withLimits(device, limits, () => tinyDecoder(device, config));
        return { decoder, training: new TinyTraining(decoder, TOKENS) };
      });
      const { decoder } = cut;
      assert.deepEqual(decoder.parameters.blocks(decoder.headName).map(({ rows }) => rows), [32, 32, 6]);
      assert.equal(whole.decoder.parameters.blocks(decoder.headName).length, 1);
      assert.throws(() => decoder.parameters.matrix(decoder.headName), RangeError);
      for (let step = 0; step < 3; step++) {
        const [expected, loss] = [await whole.training.run(true), await cut.training.run(true)];
        assert.ok(Math.abs(loss - expected) < 1e-5, `loss ${loss} in step ${step}, expected ${expected}`);
        const flats = await device.read(...[cut, whole].map((model) => model.decoder.parameters.gradients));
        const [found, gradients] = flats.map((flat) => decoder.parameters.toTensors(flat));
        assertSame(found, gradients, 2e-5);
      }
      assertSame(await tensorsOf(cut.decoder), await tensorsOf(whole.decoder), 1e-4);
    });
  }

  Deno.test(`beam search over a vocabulary in blocks equals that over one block, ${layout}`, async () => {
    const config = tinyConfig(600, true);
    const catalogues = [
      [[1, 340, 599], [1, 340, 33], [255, 256], [512, 2, 511], [512, 2, 66], [30, 45, 50]],
      [[520, 530], [520, 599], [512, 513]], // all tokens are in the last block
    ];
    const prompts = [Uint32Array.of(0, 599), Uint32Array.of(33, 2, 511, 5)];
    const device = await sharedDevice(layout);
    const limits = { maxTextureDimension2D: 256, maxStorageBufferBindingSize: 256 * 64 };
    const whole = tinyDecoder(device, config);
    const cut = withLimits(device, limits, () => tinyDecoder(device, config));
    assert.deepEqual([whole.head.length, cut.head.length], [1, 3]);
    for (const sids of catalogues) {
      const trie = new DeviceTrie(device, buildTrie(sids));
      for (const normalisation of TOKEN_NORMALISATIONS) {
        const [expected, found] = await Promise.all(
          [whole, cut].map((decoder) =>
            new BeamSearch(device, decoder, trie, { beams: 6, normalisation }).run(prompts)
          ),
        );
        expected.forEach(({ leaves, scores }, u) => {
          assert.deepEqual(found[u].leaves, leaves);
          scores.forEach((score, i) => assert.ok(Math.abs(found[u].scores[i] - score) < 1e-5));
        });
      }
    }
  });

  for (const limits of [{}, NARROW]) {
    const name = `${layout}, ${limits === NARROW ? "in blocks" : "whole"}`;
    Deno.test(`frozen rows and parameters stay as they are, the others train as without them, ${name}`, async () => {
      const config = tinyConfig(VOCABULARY, false);
      const isTable = (name: string) => /embed_tokens|lm_head/.test(name);
      const device = await sharedDevice(layout);
      const options = { trainable: isTable, frozenRows: 61 };
      const decoder = withLimits(device, limits, () => tinyDecoder(device, config, options));
      const { parameters } = decoder;
      assert.equal(parameters.trainedCount, 2 * 9 * 16);
      assert.equal(parameters.length, 2 * Math.ceil(9 * 16 / 64) * 64);
      assert.equal(parameters.gradient("model.norm.weight"), undefined);
      const before = tinyTensors(config);
      assertSame(await tensorsOf(decoder), before, 0);

      const training = new TinyTraining(decoder, TOKENS, 0.5);
      const free = new TinyTraining(tinyDecoder(device, config), TOKENS);
      assert.ok(Math.abs(await training.run(false) - await free.run(false)) < 1e-5);
      const whole = free.decoder.parameters;
      const [gradients] = await device.read(whole.gradients);
      const expected = whole.toTensors(gradients);
      for (const name of ["model.embed_tokens.weight", "lm_head.weight"]) {
        const rows = expected.get(name)!.data.subarray(61 * 16);
        assert.ok(rows.some((value) => value !== 0));
        const [found] = await device.read(parameters.blocks(name).at(-1)!.gradient!);
        rows.forEach((value, i) => assert.ok(Math.abs(found[i] - value) < 1e-5));
        assert.equal(parameters.blocks(name)[0].gradient, undefined);
      }

      await training.run(true);
      await training.run(true);
      const state = await training.optimizer.state();
      assert.deepEqual(
        Object.values(state).map(({ length }) => length),
        new Array(4).fill(parameters.length),
      );
      for (const values of [undefined, training.optimizer.average]) {
        const after = await tensorsOf(decoder, values);
        for (const [name, { data }] of before) {
          const changed = data.findIndex((value, i) => after.get(name)!.data[i] !== value);
          assert.equal(changed >= 0, isTable(name), name);
          assert.ok(changed === -1 || changed >= 61 * 16, `${name}[${changed}] changed`);
        }
      }
      const trained = (await tensorsOf(decoder)).get("lm_head.weight")!.data.slice(61 * 16);
      const again = parameters.fromTensors(await tensorsOf(decoder), "trained");
      assert.deepEqual([...again.subarray(again.length / 2, again.length / 2 + 144)], [...trained]);
      assert.throws(() => parameters.toTensors(again), RangeError);
    });
  }

  Deno.test(`parameters over several buffers train as in one, and save and resume alike, ${layout}`, async () => {
    const config = tinyConfig(VOCABULARY, true);
    const device = await sharedDevice(layout);
    const run = async (limits: { maxBufferSize?: number }) => {
      const decoder = withLimits(device, limits, () => tinyDecoder(device, config));
      const training = new TinyTraining(decoder, TOKENS, 0.9);
      for (let step = 0; step < 2; step++) await training.run(true);
      const [norm] = await device.read(training.optimizer.gradientNorm);
      return { decoder, training, norm, state: await training.optimizer.state() };
    };
    const [one, several] = [await run({}), await run({ maxBufferSize: 5000 })];
    assert.ok(several.decoder.parameters.segments.length > 2);
    assert.throws(() => several.decoder.parameters.values, RangeError);
    assert.ok(Math.abs(one.norm[0] - several.norm[0]) < 1e-5 * one.norm[0]);
    for (const [name, array] of Object.entries(one.state)) {
      assertSame(
        several.decoder.parameters.toTensors(several.state[name]),
        one.decoder.parameters.toTensors(array),
        1e-5,
      );
    }
    assertSame(
      await tensorsOf(several.decoder, several.training.optimizer.average),
      one.decoder.parameters.toTensors(one.state.ema),
      1e-5,
    );
    const { decoder, training, state } = several;
    await training.run(true);
    await training.optimizer.restore(heldState(state), "the second step");
    assertSame(await tensorsOf(decoder), decoder.parameters.toTensors(state.values), 0);
    const averaged = await training.optimizer.withAverage(() => tensorsOf(decoder));
    assertSame(averaged, decoder.parameters.toTensors(state.ema), 0);
    assertSame(await tensorsOf(decoder), decoder.parameters.toTensors(state.values), 0);
  });
}

Deno.test("Decoder trains with the vocabulary of Qwen2.5, which no texture holds", async () => {
  const config = { ...tinyConfig(151936, true), hidden_size: 8, num_attention_heads: 1, head_dim: 8 };
  const device = await sharedDevice("texture");
  const decoder = new Decoder(device, { ...config, num_key_value_heads: 1 });
  assert.equal(decoder.parameters.blocks(decoder.headName).length, 10);
  const training = new TinyTraining(decoder, [151935, 3, 16383, 16384, 151664, 3]);
  // All weights are 0, so every token is as likely as any other.
  assert.ok(Math.abs(await training.run(false, 0) - Math.log(151936)) < 1e-4);
  const next = noise(1);
  decoder.parameters.write(Float32Array.from({ length: decoder.parameters.length }, () => 0.3 * next()));
  const first = await training.run(true, 0);
  const second = await training.run(false, 0);
  assert.ok(second < first - 0.1, `loss ${first}, then ${second}`);
  decoder.destroy();
});

Deno.test("a frozen weight is on the device once, a trained one in textures three times and its gradient", async () => {
  const device = await ownDevice("texture");
  const held = (frozenRows: number) => {
    const { buffers, textures } = device.memory;
    const spec = { name: "w", rows: 64, cols: 32, init: "normal", decay: true, product: true } as const;
    const parameters = new Parameters(device, [{ ...spec, frozenRows }]);
    const bytes = [device.memory.buffers - buffers, device.memory.textures - textures];
    const twin = parameters.transposed("w");
    parameters.destroy();
    return { bytes, twin: twin && [twin.rows, twin.cols] };
  };
  const size = 4 * 64 * 32;
  assert.deepEqual(held(64), { bytes: [0, size], twin: undefined });
  assert.deepEqual(held(0), { bytes: [2 * size, 2 * size], twin: [32, 64] });
});

Deno.test("weight decay leaves embeddings alone where it is told to", async () => {
  const device = await sharedDevice("buffer");
  const decays = (decayEmbeddings?: boolean) =>
    new Decoder(device, tinyConfig(8, false), { decayEmbeddings }).parameters.segments[0].decayLength;
  assert.equal(decays(false), decays() - 2 * 8 * 16);
});

Deno.test("Parameters refuses a weight that no matrix can hold, unless it is read by rows", async () => {
  const device = await sharedDevice("texture");
  const make = (table: boolean) =>
    withLimits(
      device,
      { maxTextureDimension2D: 16 },
      () => new Parameters(device, [spec("w", 40, 8, { table })]),
    );
  assert.throws(() => make(false), /Cannot hold parameter w \(40, 8\) in one matrix: it takes 3/);
  const parameters = make(true);
  assert.deepEqual(parameters.blocks("w").map(({ start }) => start), [0, 16, 32]);
  parameters.destroy();
});

Deno.test("Parameters without anything to train can be read", async () => {
  const device = await sharedDevice("buffer");
  const parameters = new Parameters(device, [spec("w", 3, 5, { frozenRows: 3 })]);
  const data = Float32Array.from({ length: 15 }, (_, i) => i);
  parameters.load(new Map([["w", { shape: [3, 5], data }]]), "a test");
  assert.equal(parameters.length, 0);
  const [matrix] = await device.read(parameters.matrix("w"));
  assert.deepEqual(matrix, data);
  parameters.destroy();
});

for (const layout of ["texture", "buffer"] as const) {
  Deno.test(`a table larger than a piece comes in rows one after the other, frozen or trained, ${layout}`, async () => {
    const device = await sharedDevice(layout);
    // Two blocks of which the second trains, and 4 Mi numbers a piece: neither ends where the other does.
    const [rows, cols, frozenRows] = [70_000, 64, 66_000];
    const spec = {
      name: "t",
      rows,
      cols,
      frozenRows,
      init: "zeros",
      decay: true,
      product: false,
      table: true,
    } as const;
    const parameters = withLimits(
      device,
      { maxTextureDimension2D: 8192 },
      () => new Parameters(device, [spec]),
    );
    const data = Float32Array.from({ length: rows * cols }, (_, i) => i % 9973);
    parameters.writeParameter("t", data);
    let end = 0;
    for await (const { name, shape, from, data: part } of parameters.readPieces()) {
      assert.deepEqual([name, shape, from], ["t", [rows, cols], end]);
      assert.ok(part.length <= 2 ** 22);
      assert.ok(part.every((value, i) => value === data[end + i]), `from ${end}`);
      end += part.length;
    }
    assert.equal(end, data.length);
    const [tensor, ...others] = await Array.fromAsync(parameters.readTensors());
    assert.equal(others.length, 0);
    assert.ok(tensor.data.every((value, i) => value === data[i]));
    parameters.destroy();
  });
}
