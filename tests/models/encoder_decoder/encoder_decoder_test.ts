import assert from "node:assert/strict";
import { ownDevice, sharedDevice } from "../../shared_device.ts";
import { UserError } from "../../../base/user_error.ts";
import { BeamSearch, beamSearch } from "../../../decode/beam_search.ts";
import { DeviceTrie } from "../../../decode/device_trie.ts";
import { Tape } from "../../../kernels/tape.ts";
import type { Layout } from "../../../kernels/gpu/tensor.ts";
import { EncoderDecoder } from "../../../models/encoder_decoder/encoder_decoder.ts";
import type { StackDropout } from "../../../models/encoder_decoder/blocks.ts";
import { parseEncoderDecoderConfig } from "../../../models/encoder_decoder/config.ts";
import { PackedPairsBuffer, type PairGroup } from "../../../models/packing/packed_pairs.ts";
import { partsOf } from "../../../models/parameters/parts.ts";
import { readSafetensors } from "../../../models/safetensors/safetensors.ts";
import { savePretrained } from "../../../models/hugging_face/save_pretrained.ts";
import { buildTrie } from "../../../sid/trie.ts";
import { FAMILIES, loadT5, type T5Golden, t5Golden } from "./t5_golden.ts";

const CAPACITY = { inputs: 61, pairs: 4, depth: 5 }; // more than needed: padding must not show

function pairsOf({ sequences }: T5Golden): PairGroup[] {
  return sequences.map(({ input, labels }) => ({
    input: Uint32Array.from(input),
    completions: [{ targets: Uint32Array.from(labels) }],
  }));
}

/** Weighted loss and gradients of pairs in one packed batch. */
async function lossOf(
  model: EncoderDecoder,
  pairs: PairGroup[],
  weightScale: number,
  dropout?: StackDropout,
) {
  const { device, parameters } = model;
  const buffer = new PackedPairsBuffer(device, CAPACITY, model);
  buffer.write(pairs, weightScale);
  parameters.clearGradients();
  const [losses, gradients] = await device.scope(() => {
    const tape = new Tape(device, true);
    const encoded = model.encode(tape, buffer.packed.encoder, dropout);
    const states = model.decode(tape, buffer.packed, encoded, dropout);
    model.loss(tape, buffer.packed, states, { labelSmoothing: 0 });
    tape.backward();
    return device.read(buffer.packed.rowLoss, parameters.gradients);
  });
  buffer.destroy();
  return { loss: losses.reduce((a, b) => a + b, 0), gradients: parameters.toTensors(gradients) };
}

for (const family of FAMILIES) {
  for (const layout of ["texture", "buffer"] as Layout[]) {
    Deno.test(`encoder-decoder loss and gradients equal transformers' ${family}, ${layout}`, async () => {
      const golden = t5Golden[family];
      const device = await ownDevice(layout);
      const model = loadT5(device, family);
      const { loss, gradients } = await lossOf(model, pairsOf(golden), 1 / golden.count);
      assert.ok(Math.abs(loss - golden.loss) < 1e-5, `loss ${loss}, expected ${golden.loss}`);
      assert.deepEqual([...gradients.keys()].sort(), Object.keys(golden.gradients).sort());
      for (const [name, { data, shape }] of Object.entries(golden.gradients)) {
        const actual = gradients.get(name)!;
        assert.deepEqual(actual.shape, shape, name);
        const scale = data.reduce((max, v) => Math.max(max, Math.abs(v)), 1e-3);
        data.forEach((expected, i) => {
          const error = Math.abs(actual.data[i] - expected) / scale;
          assert.ok(error < 2e-4, `${name}[${i}] is ${actual.data[i]}, expected ${expected}`);
        });
      }
      model.destroy();
    });
  }

  Deno.test(`decoding session of an encoder-decoder gives transformers' ${family} logits at every place`, async () => {
    const { sequences } = t5Golden[family];
    const device = await ownDevice();
    const model = loadT5(device, family);
    const depth = Math.max(...sequences.map(({ labels }) => labels.length));
    // Two beams a user: the second is the true one, whose parent is the first beam in the first step.
    const session = model.start(sequences.map(({ input }) => Uint32Array.from(input)), 2, depth - 1);
    for (let place = 0; place < depth; place++) {
      await device.scope(async () => {
        const flat = (of: (labels: number[]) => number[]) =>
          device.createFlat("u32", Uint32Array.from(sequences.flatMap(({ labels }) => of(labels))));
        const first = model.heads[0].start;
        const hidden = place === 0 ? session.hidden : session.step(
          flat((labels) => [first, labels[place - 1] ?? first]),
          flat(() => [1, place === 1 ? 0 : 1]),
        );
        const stride = hidden.rows / sequences.length;
        const [logits] = await device.read([...model.logitParts(hidden)][0]);
        sequences.forEach(({ logits: expected }, u) => {
          expected[place]?.forEach((value, v) => {
            const found = logits[(u * stride + stride - 1) * expected[place].length + v];
            assert.ok(
              Math.abs(found - value) < 1e-4,
              `user ${u}, place ${place}, logit ${v}: ${found}, not ${value}`,
            );
          });
        });
      });
    }
    assert.throws(() => session.step(device.createFlat("u32", 6), device.createFlat("u32", 6)), RangeError);
    session.close();
    model.destroy();
  });
}

Deno.test("packed pairs have the loss and gradients of each pair by itself, summed", async () => {
  const device = await sharedDevice();
  const model = loadT5(device, "codes");
  const pairs = pairsOf(t5Golden.codes).map(({ input, completions: [{ targets }] }, i) => ({
    input,
    // A SID that ends early predicts nothing at the last level.
    completions: [{ targets: i === 1 ? targets.slice(0, 2) : targets, weight: i + 1 }],
  }));
  const whole = await lossOf(model, pairs, 1);
  const parts: Awaited<ReturnType<typeof lossOf>>[] = [];
  for (const pair of pairs) parts.push(await lossOf(model, [pair], 1));
  const total = parts.reduce((sum, { loss }) => sum + loss, 0);
  assert.ok(Math.abs(whole.loss - total) < 1e-4, `${whole.loss}, not ${total}`);
  for (const [name, { data }] of whole.gradients) {
    data.forEach((value, i) => {
      const sum = parts.reduce((sum, { gradients }) => sum + gradients.get(name)!.data[i], 0);
      assert.ok(Math.abs(value - sum) < 1e-4 * (1 + Math.abs(sum)), `${name}[${i}]: ${value}, not ${sum}`);
    });
  }
});

Deno.test("beamSearch() with an encoder-decoder of code tables equals its loss on every SID", async () => {
  const device = await ownDevice();
  const model = loadT5(device, "codes");
  const [first, second, third] = model.heads.map(({ start }) => start);
  const sids = [[0, 0, 0], [0, 0, 3], [0, 6, 1], [2, 1, 1], [4, 6, 3], [4, 5, 0], [3, 3, 2]]
    .map(([a, b, c]) => [first + a, second + b, third + c]);
  const host = buildTrie(sids);
  const trie = new DeviceTrie(device, host);
  const inputs = t5Golden.codes.sequences.map(({ input }) => Uint32Array.from(input));
  const found = await beamSearch(device, model, trie, inputs, { beams: 7, normalisation: "vocab" });
  for (const [u, { leaves, scores }] of found.entries()) {
    assert.equal(new Set(leaves).size, sids.length);
    for (const [i, leaf] of leaves.slice(0, 3).entries()) {
      const targets = Uint32Array.from(sids[host.itemsOf(leaf)[0]]);
      const { loss } = await lossOf(model, [{ input: inputs[u], completions: [{ targets }] }], 1);
      assert.ok(Math.abs(scores[i] + loss) < 1e-4, `user ${u}, rank ${i}: ${scores[i]}, expected ${-loss}`);
    }
  }
  trie.destroy();
});

Deno.test("gradients of an encoder-decoder with dropout are those of what it dropped", async () => {
  const device = await sharedDevice();
  const model = loadT5(device, "t5_v1_1");
  const { parameters } = model;
  const pairs = pairsOf(t5Golden.t5_v1_1);
  const seed = device.createFlat("u32", Uint32Array.of(7, 8, 9, 0));
  const without = await lossOf(model, pairs, 1);
  assert.equal((await lossOf(model, pairs, 1, { rate: 0, seed })).loss, without.loss);
  const dropout = { rate: 0.2, seed };
  const { loss, gradients } = await lossOf(model, pairs, 1, dropout);
  assert.ok(Math.abs(loss - without.loss) > 0.1, `${loss} with dropout, ${without.loss} without`);
  // Along the gradient the loss rises by its square.
  const values = await parameters.read();
  const slope = parameters.fromTensors(gradients, "gradients");
  const square = slope.reduce((sum, value) => sum + value * value, 0);
  const moved = async (by: number) => {
    parameters.write(values.map((value, i) => value + by * slope[i]));
    return (await lossOf(model, pairs, 1, dropout)).loss;
  };
  const h = 3e-3 / Math.sqrt(square);
  const rise = (await moved(h) - await moved(-h)) / (2 * h);
  assert.ok(Math.abs(rise / square - 1) < 5e-3, `rises by ${rise}, expected ${square}`);
});

Deno.test("a causal encoder runs once for completions of several parts of its input", async () => {
  const device = await sharedDevice();
  const config = parseEncoderDecoderConfig({ ...t5Golden.codes.config as object, causal_encoder: true });
  const model = new EncoderDecoder(device, config);
  model.initialize(5, 0.3);
  const input = Uint32Array.of(1, 6, 13, 2, 7, 14, 3, 8, 15);
  const answers = [[3, 2], [6, 5], [6, 1], [9, 4]].map(([end, code]) => ({
    end,
    targets: Uint32Array.of(code, 7 + code % 3, 14),
    weight: code,
  }));
  const shared = await lossOf(model, [{ input, completions: answers }], 0.1);
  const alone = await lossOf(
    model,
    answers.map(({ end, ...answer }) => ({ input: input.subarray(0, end), completions: [answer] })),
    0.1,
  );
  assert.ok(Math.abs(shared.loss - alone.loss) < 1e-5 * alone.loss, `${shared.loss} is not ${alone.loss}`);
  for (const [name, { data }] of alone.gradients) {
    const scale = data.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-3);
    const actual = shared.gradients.get(name)!.data;
    data.forEach((value, i) =>
      assert.ok(Math.abs(actual[i] - value) < 2e-4 * scale, `${name}[${i}] is ${actual[i]}, alone ${value}`)
    );
  }
  const buffer = new PackedPairsBuffer(device, CAPACITY, model);
  assert.throws(
    () => buffer.write([{ input, completions: answers.toReversed() }], 1),
    /first 6 of 9 input tokens: expected 9 to 9, ascending/,
  );
});

Deno.test("a causal encoder reads the same of a history whatever follows", async () => {
  const device = await ownDevice();
  const config = parseEncoderDecoderConfig({ ...t5Golden.codes.config as object, causal_encoder: true });
  const model = new EncoderDecoder(device, config);
  model.initialize(5, 0.3);
  const trie = new DeviceTrie(device, buildTrie([[1, 6, 13], [2, 7, 14], [2, 8, 15]]));
  const search = new BeamSearch(device, model, trie, { beams: 3, normalisation: "vocab" });
  const input = Uint32Array.of(1, 6, 13, 2, 7, 14);
  const [{ leaves, scores }] = await search.run([input]);
  // The search's score of a SID is what the packed loss says of it.
  const target = Uint32Array.of(2, 8, 15);
  const { loss } = await lossOf(model, [{ input, completions: [{ targets: target }] }], 1);
  const score = scores[leaves.indexOf(trie.host.walk([...target])!)];
  assert.ok(Math.abs(score + loss) < 1e-4, `${score} is not ${-loss}`);
  search.destroy();
  trie.destroy();
});

Deno.test("a steady step and search of an encoder-decoder take no new memory", async () => {
  const device = await ownDevice();
  const model = loadT5(device, "codes");
  const buffer = new PackedPairsBuffer(device, CAPACITY, model);
  const inputs = t5Golden.codes.sequences.map(({ input }) => Uint32Array.from(input));
  const trie = new DeviceTrie(device, buildTrie([[1, 6, 13], [2, 7, 14]]));
  const search = new BeamSearch(device, model, trie, { beams: 2, normalisation: "vocab" });
  const step = async () => {
    buffer.write(pairsOf(t5Golden.codes), 1);
    device.scope(() => {
      const tape = new Tape(device, true);
      const states = model.decode(tape, buffer.packed, model.encode(tape, buffer.packed.encoder));
      model.loss(tape, buffer.packed, states, { labelSmoothing: 0 });
      tape.backward();
    });
    await search.run(inputs);
    return { ...device.memory };
  };
  await step();
  const before = await step();
  assert.deepEqual(await step(), before);
  search.destroy();
  trie.destroy();
});

Deno.test("an encoder-decoder that is saved and loaded again has the same weights", async () => {
  const device = await sharedDevice();
  const model = loadT5(device, "t5_v1_1");
  const shapes = model.parameters.specs.flatMap(partsOf);
  const files = await Array.fromAsync(savePretrained(model.config, shapes, model.parameters.readTensors()));
  assert.deepEqual(files.map(({ name }) => name), ["model.safetensors", "config.json"]);
  const tensors = readSafetensors(files[0].bytes);
  assert.deepEqual([...tensors.keys()].sort(), Object.keys(t5Golden.t5_v1_1.gradients).sort());
  const config = parseEncoderDecoderConfig(JSON.parse(new TextDecoder().decode(files[1].bytes)));
  assert.deepEqual(config, model.config);
  const read = (name: string) => {
    const tensor = tensors.get(name);
    return tensor ? Promise.resolve(tensor) : Promise.reject(new UserError(`no ${name}`));
  };
  const again = await EncoderDecoder.load(device, { folder: "saved", read }, config);
  assert.deepEqual(await again.parameters.read(), await model.parameters.read());
  tensors.delete("lm_head.weight");
  await assert.rejects(EncoderDecoder.load(device, { folder: "saved", read }, config), /no lm_head/);
});

Deno.test("parseEncoderDecoderConfig() names every field that cannot be used", () => {
  const config = t5Golden.t5.config as Record<string, unknown>;
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ d_model: "8" }, /d_model is "8"/],
    [{ d_kv: 132, d_ff: 10 }, /d_ff is 10.*multiple of 4.*d_kv is 132.*at most 128/],
    [{ relative_attention_num_buckets: 12 }, /num_buckets is 12.*multiple of 8/],
    [{ relative_attention_max_distance: 4 }, /max_distance is 4.*8 buckets/],
    [{ decoder_start_token_id: 23 }, /decoder_start_token_id is 23.*vocab_size 23/],
    [{ feed_forward_proj: "gelu" }, /feed_forward_proj is "gelu"/],
  ];
  for (const [change, message] of wrong) {
    assert.throws(
      () => parseEncoderDecoderConfig({ ...config, ...change }, "run/config.json"),
      (error) =>
        error instanceof UserError && message.test(error.message) && /run\/config/.test(error.message),
    );
  }
});

Deno.test("pairs that do not fit, and targets of another level, are refused", async () => {
  const device = await sharedDevice();
  const model = loadT5(device, "codes");
  const buffer = new PackedPairsBuffer(device, { inputs: 8, pairs: 1, depth: 4 }, model);
  const completion = { targets: Uint32Array.of(1, 6, 13) };
  const pair = { input: Uint32Array.of(1, 6, 13), completions: [completion] };
  const withTargets = (...targets: number[]) => ({
    ...pair,
    completions: [{ targets: Uint32Array.from(targets) }],
  });
  const wrong: [PairGroup[], RegExp][] = [
    [[pair, pair], /2 pairs of 6 input tokens: expected at most 1 and 8/],
    [[{ ...pair, input: new Uint32Array(9) }], /1 pairs of 9 input tokens/],
    [[{ ...pair, input: new Uint32Array(0) }], /pair 0 of 0 input tokens/],
    [[withTargets(6, 6, 13)], /token 6 in place 0: expected 1 to 5/],
    [[withTargets(1, 6, 13, 14)], /more than 3 tokens: the model has 3 code tables/],
    [
      [{ ...pair, completions: [{ ...completion, end: 2 }] }],
      /first 2 of 3 input tokens: expected all of them/,
    ],
  ];
  for (const [pairs, message] of wrong) {
    assert.throws(
      () => buffer.write(pairs, 1),
      (error) => error instanceof UserError && message.test(error.message),
    );
  }
  assert.throws(() => model.start([new Uint32Array(0)], 2, 2), UserError);
});
