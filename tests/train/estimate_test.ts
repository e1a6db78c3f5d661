import assert from "node:assert/strict";
import { packBatch } from "../../data/batches.ts";
import { UserError } from "../../data/user_error.ts";
import { Device } from "../../kernels/device.ts";
import { Tape } from "../../kernels/tape.ts";
import { parseDecoderConfig } from "../../models/config.ts";
import { Decoder, type DecoderOptions } from "../../models/decoder.ts";
import { Optimizer } from "../../models/optimizer.ts";
import { PackedTokensBuffer } from "../../models/packed_tokens.ts";
import { estimateTraining, formatBytes, formatEstimate, type TrainingPlan } from "../../train/estimate.ts";
import { checkMemory, memoryRemedies, type MemorySettings } from "../../train/memory_check.ts";

const config = parseDecoderConfig({
  model_type: "qwen2",
  vocab_size: 50,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 64,
  tie_word_embeddings: true,
});
const lora = { r: 4, alpha: 8, dropout: 0.1, targetModules: "all", rankStabilised: false } as const;

function planOf(options: DecoderOptions, more: Partial<TrainingPlan> = {}): TrainingPlan {
  return {
    dtype: "float32",
    decoder: (device) => new Decoder(device, config, options),
    capacity: { tokens: 64, rows: 32 },
    optimizer: { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, maxGradNorm: 1, emaDecay: 0.9 },
    loss: (device) => ({ labelSmoothing: 0, dropout: { rate: 0.1, seed: device.createFlat("u32", 4) } }),
    epoch: { tokens: 640, targets: 320, sequences: 64, steps: 10 },
    steps: 30,
    ...more,
  };
}

for (
  const [name, options] of [
    ["all weights", {}],
    ["activation checkpointing", { gradientCheckpointing: true }],
    ["adapters and new rows", { lora, frozenRows: 40 }],
  ] as [string, DecoderOptions][]
) {
  Deno.test(`estimateTraining() of ${name} is what two steps take`, async () => {
    const device = await Device.open();
    const plan = planOf(options);
    const estimate = await estimateTraining(device, plan);
    assert.equal(device.memory.peak, 0); // nothing was allocated for it

    const held = () => device.memory.buffers + device.memory.textures;
    const decoder = plan.decoder(device);
    const { memory } = estimate;
    assert.equal(held(), memory.weights + memory.matrices + memory.gradients);
    const optimizer = new Optimizer(decoder.parameters, plan.optimizer);
    assert.equal(held(), memory.weights + memory.matrices + memory.gradients + memory.optimizer);
    const buffer = new PackedTokensBuffer(device, plan.capacity);
    const rows = {
      targets: buffer.packed.targets,
      weights: buffer.packed.weights,
      stats: device.createFlat("f32", 4 * plan.capacity.rows),
      rowLoss: device.createFlat("f32", plan.capacity.rows),
    };
    const loss = plan.loss(device);
    const tokens = Uint32Array.from({ length: 60 }, (_, i) => i % 50);
    buffer.write(packBatch([{ tokens, targets: [{ at: 3, token: 1, weight: 1 }] }], plan.capacity), 1);
    for (let step = 0; step < 2; step++) {
      optimizer.prepare(step, 1e-3);
      device.scope(() => {
        const tape = new Tape(device, true);
        decoder.loss(tape, buffer.packed, rows, loss);
        tape.backward();
        optimizer.step();
      });
    }
    await device.settle();
    const error = memory.total / device.memory.peak - 1;
    assert.ok(Math.abs(error) < 0.02, `estimated ${memory.total}, took ${device.memory.peak}`);
    const { total, ...parts } = memory;
    assert.equal(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0), total);
    assert.ok(memory.logits >= 2 * 4 * 32 * 50, `logits and their gradient take ${memory.logits}`);
    assert.equal(estimate.parameters.trained, decoder.parameters.trainedCount);
  });
}

Deno.test("estimateTraining() counts operations by hand", async () => {
  const estimate = await estimateTraining(await Device.open(), planOf({}));
  // A block has q 16x16, k and v 8x16 each, o 16x16, gate and up 24x16 each, down 16x24; three of them.
  const block = 16 * (16 + 8 + 8 + 16 + 24 + 24 + 24);
  // Ten tokens a sequence see 55 pairs, 16 columns of queries: 2 products of 2 operations, backward twice that.
  const attention = 3 * 3 * 4 * (64 * 55) * 16;
  const epoch = 6 * (640 * 3 * block + 320 * 50 * 16) + attention;
  assert.equal(estimate.flops.step, epoch / 10);
  assert.equal(estimate.flops.run, estimate.flops.step * 30);
  // Frozen weights have no gradient of their own: two thirds of the products.
  const frozen = await estimateTraining(
    await Device.open(),
    planOf({ trainable: () => false, frozenRows: 50 }),
  );
  assert.equal(frozen.flops.step, (epoch - 2 * (640 * 3 * block + 320 * 50 * 16)) / 10);
});

Deno.test("estimateTraining() takes a model that fits nowhere, within a second", async () => {
  const device = await Device.open();
  const large = parseDecoderConfig({
    model_type: "qwen2",
    vocab_size: 151936,
    hidden_size: 896,
    intermediate_size: 4864,
    num_hidden_layers: 24,
    num_attention_heads: 14,
    num_key_value_heads: 2,
    max_position_embeddings: 512,
    tie_word_embeddings: true,
  });
  const plan = planOf({}, { decoder: (rehearsal) => new Decoder(rehearsal, large) });
  const { parameters, memory } = await estimateTraining(device, plan);
  assert.equal(parameters.total, 494_032_768); // as Qwen2.5-0.5B
  assert.ok(memory.total > 8 * 4 * parameters.total && memory.total < 12 * 4 * parameters.total);
});

const settings: MemorySettings = {
  tokensPerBatch: 2048,
  gradientCheckpointing: false,
  dtype: "float32",
  tuning: "full",
  emaDecay: 0.9,
  trimVocabulary: false,
};
const planWith = ({ tokensPerBatch, gradientCheckpointing, tuning, emaDecay }: MemorySettings) =>
  planOf(
    {
      gradientCheckpointing,
      frozenRows: tuning === "full" ? 0 : 40,
      ...(tuning === "lora"
        ? { lora }
        : tuning === "freeze"
        ? { trainable: (name) => /embed/.test(name) }
        : {}),
    },
    {
      capacity: { tokens: tokensPerBatch, rows: tokensPerBatch / 2 },
      optimizer: { ...planOf({}).optimizer, emaDecay },
    },
  );

Deno.test("checkMemory() names the three cheapest changes that are enough, with what they take", async () => {
  const device = await Device.open();
  const estimate = await estimateTraining(device, planWith(settings));
  const facts = { longest: 100, pretrained: true, half: false, trimmable: false };
  const remedies = memoryRemedies(settings, facts);
  assert.deepEqual(remedies.map(([{ change }]) => change), [
    "--tokens-per-batch 1024 with 2 times the gradient accumulation",
    "--gradient-checkpointing",
    "--ema-decay 0",
    "--lora-r 16",
    "--freeze llm",
  ]);
  await checkMemory(device, estimate, estimate.memory.total, remedies, planWith);

  const quarter = await estimateTraining(device, planWith({ ...settings, tokensPerBatch: 512 }));
  await assert.rejects(
    () => checkMemory(device, estimate, quarter.memory.total, remedies, planWith),
    (error: Error) => {
      assert.ok(error instanceof UserError);
      const took = formatBytes(quarter.memory.total);
      assert.ok(
        error.message.startsWith(`Cannot train in ${took} of memory: this run takes `),
        error.message,
      );
      assert.match(error.message, /most of it for activations/);
      assert.ok(
        error.message.endsWith(
          `Enough would be --tokens-per-batch 512 with 4 times the gradient accumulation (${took})`,
        ),
        error.message,
      );
      return true;
    },
  );
  await assert.rejects(
    () => checkMemory(device, estimate, 1024, remedies, planWith),
    /Nothing is enough alone, combine --tokens-per-batch 256 .*, --gradient-checkpointing .*, /,
  );
  await assert.rejects(() => checkMemory(device, estimate, 1024, [], planWith), /Take a smaller model/);
});

Deno.test("memoryRemedies() offers what the machine and the model have", () => {
  const lean = { ...settings, tokensPerBatch: 256, gradientCheckpointing: true, emaDecay: 0 };
  const facts = { longest: 200, pretrained: false, half: true, trimmable: true };
  const changes = memoryRemedies(lean, facts).map(([{ change }]) => change);
  assert.deepEqual(changes, ["--trim-vocabulary", "--dtype float16"]);
});

Deno.test("formatEstimate() lists what is known, and the time with a rate", async () => {
  const estimate = await estimateTraining(await Device.open(), planOf({}));
  const lines = formatEstimate(estimate, estimate.flops.run / 7200);
  assert.match(lines[0], /^parameters +\d,\d+, trained \d,\d+$/);
  assert.ok(lines.some((line) => /^time +2\.0 hours$/.test(line)), lines.join("\n"));
  assert.equal(formatEstimate(estimate).length, lines.length - 1);
  assert.deepEqual([0, 1023, 1536, 20 * 2 ** 30].map(formatBytes), ["0 B", "1023 B", "1.5 KiB", "20.0 GiB"]);
});
