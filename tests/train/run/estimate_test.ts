import assert from "node:assert/strict";
import { buildTrie } from "../../../sid/trie.ts";
import { DeviceTrie } from "../../../decode/device_trie.ts";
import { packBatch } from "../../../data/packing/batches.ts";
import { ALONE } from "../../../base/parallel/world.ts";
import { UserError } from "../../../base/user_error.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/tape.ts";
import { parseDecoderConfig } from "../../../models/decoder/config.ts";
import { Decoder, type DecoderOptions } from "../../../models/decoder/decoder.ts";
import { Optimizer } from "../../../models/optimizer/optimizer.ts";
import { PackedTokensBuffer } from "../../../models/packing/packed_tokens.ts";
import {
  estimateTraining,
  formatBytes,
  formatEstimate,
  type TrainingPlan,
} from "../../../train/run/estimate.ts";
import { PackedData } from "../../../train/run/packed_data.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { trainSft } from "../../../train/sft/sft.ts";
import { sftConfig } from "../../../train/sft/config.ts";
import { sftMicroBatch } from "../../../train/sft/rehearsal.ts";
import type { OptimName } from "../../../models/optimizer/rules/by_name.ts";
import { checkMemory, memoryRemedies, type MemorySettings } from "../../../train/run/memory_check.ts";

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

function planOf(
  options: DecoderOptions,
  { tokens = 64, rows = 32, ...more }: Partial<TrainingPlan> & { tokens?: number; rows?: number } = {},
): TrainingPlan {
  const capacity = { tokens, rows };
  return {
    dtype: "float32",
    decoder: (device) => new Decoder(device, config, options),
    capacity,
    optimizer: { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, maxGradNorm: 1, emaDecay: 0.9 },
    microBatch(device, decoder) {
      const buffer = new PackedTokensBuffer(device, capacity);
      const loss = {
        targets: buffer.packed.targets,
        weights: buffer.packed.weights,
        stats: device.createFlat("f32", 4 * rows),
        rowLoss: device.createFlat("f32", rows),
      };
      const dropout = { rate: 0.1, seed: device.createFlat("u32", 4) };
      return () => {
        buffer.write(packBatch([{ tokens: Uint32Array.of(1, 2), targets: [] }], capacity), 1);
        const tape = new Tape(device, true);
        decoder.loss(tape, buffer.packed, loss, { labelSmoothing: 0, dropout });
        tape.backward();
      };
    },
    epoch: { tokens: 640, targets: 320, sequences: 64, steps: 10 },
    steps: 30,
    saves: 3,
    ...more,
  };
}

for (
  const [name, options, optim] of [
    ["activation checkpointing", { gradientCheckpointing: true }, "adamw_torch"],
    ["adapters and new rows", { lora, frozenRows: 40 }, "adamw_8bit"],
    ["factored moments", {}, "adafactor"],
  ] as [string, DecoderOptions, OptimName][]
) {
  Deno.test(`estimateTraining() of ${name} is what two steps take`, async () => {
    const device = await Device.open();
    const plan = planOf(options, { optimizer: { ...planOf({}).optimizer, optim } });
    const estimate = await estimateTraining(device, plan);
    assert.equal(device.memory.peak, 0); // nothing was allocated for it

    const held = () => device.memory.buffers + device.memory.textures;
    const decoder = plan.decoder(device);
    const { memory } = estimate;
    assert.equal(held(), memory.weights + memory.matrices + memory.gradients);
    const optimizer = new Optimizer(decoder.parameters, plan.optimizer);
    assert.equal(held(), memory.weights + memory.matrices + memory.gradients + memory.optimizer);
    const record = plan.microBatch(device, decoder, optimizer);
    for (let step = 0; step < 2; step++) {
      optimizer.prepare(step, 1e-3);
      device.scope(() => {
        record();
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

for (const trieLossWeight of [0, 0.5]) {
  Deno.test(`estimateTraining() with the trainer's micro batch is what trainSft() takes, trie loss ${trieLossWeight}`, async () => {
    const device = await Device.open();
    const trie = trieLossWeight > 0 ? buildTrie([7, 8, 9].map((token) => Uint32Array.of(token))) : undefined;
    const settings = sftConfig({
      mode: "samples",
      tokensPerBatch: 64,
      maxSteps: 2,
      loggingSteps: 2,
      evalSamples: 0,
      emaDecay: 0.9,
      dropout: 0.1,
      trieLossWeight,
    });
    const tokens = Uint32Array.of(1, 2, 3, 4, 5, 6);
    const source = {
      count: 40,
      tasks: ["next-item"],
      taskOf: () => 0,
      make: () => ({ tokens, targets: [{ at: 2, token: 7, weight: 1 }] }),
      order: () => Uint32Array.from({ length: 40 }, (_, i) => i),
    };
    const data = new PackedData(source, settings, settings.seed);
    const { capacity, epoch } = data;
    const estimate = await estimateTraining(device, {
      ...planOf({}),
      capacity,
      microBatch: sftMicroBatch(settings, source.tasks, capacity, trie),
      epoch: { ...epoch, steps: 4 },
    });
    const path = await Deno.makeTempDir();
    const run = new RunDirectory(path);
    await run.create(false);
    const onDevice = trie && new DeviceTrie(device, trie);
    await trainSft({
      device,
      data,
      trie: onDevice,
      makeDecoder: () => new Decoder(device, config),
      config: settings,
      run,
      resume: false,
      signal: new AbortController().signal,
    });
    await Deno.remove(path, { recursive: true });
    const error = estimate.memory.total / device.memory.peak - 1;
    assert.ok(Math.abs(error) < 0.05, `estimated ${estimate.memory.total}, took ${device.memory.peak}`);
    onDevice?.destroy();
    device.trim();
    assert.equal(device.memory.held, 0, "bytes left for the next stage of the process");
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

Deno.test("estimateTraining() of ranks that share the moments counts a share of them", async () => {
  const device = await Device.open();
  const plan = { ...planOf({}), optimizer: { ...planOf({}).optimizer, emaDecay: 0 } };
  const whole = await estimateTraining(device, plan);
  const quarter = await estimateTraining(device, { ...plan, shards: { ...ALONE, rank: 1, size: 4 } });
  const saved = whole.memory.optimizer - quarter.memory.optimizer;
  // Of two moments, as long as the weights.
  const expected = 3 / 4 * 2 * whole.memory.weights;
  assert.ok(Math.abs(saved / expected - 1) < 0.1, `${saved} saved, not ${expected}`);
  assert.equal(whole.memory.total - quarter.memory.total, saved);
});

const settings: MemorySettings = {
  tokensPerBatch: 2048,
  gradientCheckpointing: false,
  dtype: "float32",
  tuning: "full",
  emaDecay: 0.9,
  trimVocabulary: false,
  optim: "adamw_torch",
  zeroStage: 0,
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
      tokens: tokensPerBatch,
      rows: tokensPerBatch / 2,
      optimizer: { ...planOf({}).optimizer, emaDecay },
    },
  );

Deno.test("checkMemory() names the three cheapest changes that are enough, with what they take", async () => {
  const device = await Device.open();
  const estimate = await estimateTraining(device, planWith(settings));
  const facts = { longest: 100, pretrained: true, half: false, trimmable: false, ranks: 1 };
  const remedies = memoryRemedies(settings, facts);
  assert.deepEqual(remedies.map(([{ change }]) => change), [
    "--tokens-per-batch 1024 with 2 times the gradient accumulation",
    "--gradient-checkpointing",
    "--ema-decay 0",
    "--optim adamw_8bit",
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
  const lean: MemorySettings = {
    ...settings,
    tokensPerBatch: 256,
    gradientCheckpointing: true,
    emaDecay: 0,
  };
  const facts = { longest: 200, pretrained: false, half: true, trimmable: true, ranks: 2 };
  const changes = memoryRemedies(lean, facts).map(([{ change }]) => change);
  assert.deepEqual(changes, [
    "--zero-stage 1",
    "--trim-vocabulary",
    "--optim adamw_8bit",
    "--dtype float16",
  ]);
  for (const taken of [{ optim: "adafactor" }, { zeroStage: 1 }] as const) {
    const left = memoryRemedies({ ...lean, ...taken }, facts).map(([{ change }]) => change);
    assert.deepEqual(left, ["--trim-vocabulary", "--dtype float16"]);
  }
});

Deno.test("formatEstimate() lists what is known, and the time with a rate", async () => {
  const estimate = await estimateTraining(await Device.open(), planOf({}));
  const lines = formatEstimate(estimate, estimate.flops.run / 7200);
  assert.match(lines[0], /^parameters +\d,\d+, trained \d,\d+$/);
  assert.ok(
    lines.some((line) => /^time +about 2\.0 hours at \S+ GFLOP\/s, validations not counted$/.test(line)),
    lines.join("\n"),
  );
  assert.equal(formatEstimate(estimate).length, lines.length - 1);
  assert.deepEqual([0, 1023, 1536, 20 * 2 ** 30].map(formatBytes), ["0 B", "1023 B", "1.5 KiB", "20.0 GiB"]);
});

Deno.test("what the process and a checkpoint take counts where matrices lie in the memory of the process", async () => {
  const device = await Device.open();
  const plan = planOf({});
  const estimate = await estimateTraining(device, plan);
  const need = estimate.memory.total + estimate.saving;
  const host = ({ saving }: { saving: number }) => ({ "writing checkpoints": saving });
  await checkMemory(device, estimate, need, [], () => plan, host);
  await assert.rejects(() => checkMemory(device, estimate, need - 1, [], () => plan, host), {
    message: new RegExp(`this run takes ${formatBytes(need).replace(".", "\\.")}, most of it`),
  });
  await assert.rejects(
    () => checkMemory(device, estimate, 2 ** 30, [], () => plan, () => ({ process: 2 ** 30 })),
    /this run takes 1\.0 GiB, most of it for process \(1\.0 GiB\) and /,
  );
  const lines = formatEstimate(estimate, undefined, { process: 2 ** 30, "writing checkpoints": 2 ** 20 });
  assert.ok(lines.some((line) => /^ {2}process +1\.0 GiB$/.test(line)), lines.join("\n"));
  assert.ok(lines.some((line) => /^memory +1\.0 GiB$/.test(line)), lines.join("\n")); // the model is a few KiB
});
