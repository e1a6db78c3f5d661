// Fine-tuning of language models from the task down to the files, on models of a few thousand numbers.
import assert from "node:assert/strict";
import { join } from "node:path";
import { diskFiles } from "../../base/files/disk.ts";
import { EMBEDDING, HEAD } from "../../models/decoder/blocks.ts";
import { Pretrained } from "../../models/hugging_face/pretrained.ts";
import { readSafetensors, writeSafetensors } from "../../models/safetensors/safetensors.ts";
import { Tokenizer } from "../../models/tokenizer/tokenizer.ts";
import { task as evaluate } from "../../tasks/evaluate.ts";
import { task as recommend } from "../../tasks/recommend.ts";
import { filesIn } from "../tasks/genrec.ts";
import { collector, KNOWN, SID_TOKENS, tiny, train, withShop } from "./text_shop.ts";
import { task as sft } from "../../tasks/sft.ts";

const TASKS = ["next-item", "sid-to-title", "title-to-sid", "history-to-title"];
const CHECKPOINT = [
  "config.json",
  "model.safetensors",
  "model.safetensors.index.json",
  "tokenizer.json",
  "tokenizer_config.json",
];
const STATE = ["trainer.json", "trainer.safetensors"];

/** Tensors of a model directory; those of tables cut at the tokens that were known before. */
async function tensorsOf(folder: string) {
  const model = await Pretrained.open(folder, diskFiles);
  const names = new Map<string, Float32Array>();
  for (const path of model.paths.slice(1)) {
    for (const name of readSafetensors(await Deno.readFile(path)).keys()) {
      names.set(name, (await model.read(name)).data);
    }
  }
  const known = KNOWN * model.config.hidden_size;
  const old = new Map(
    [...names].map(([name, data]) => [name, isTable(name) ? data.subarray(0, known) : data]),
  );
  const fresh = new Map(
    [...names].filter(([name]) => isTable(name)).map(([name, data]) => [name, data.subarray(known)]),
  );
  return { config: model.config, old, fresh };
}

const isTable = (name: string) => name === EMBEDDING || name === HEAD;

/** Ids of all tokens of a folder's tokenizer. */
async function idsOf(folder: string): Promise<Map<string, number>> {
  const { model, added_tokens } = JSON.parse(await Deno.readTextFile(join(folder, "tokenizer.json")));
  const added = added_tokens.map(({ content, id }: { content: string; id: number }) => [content, id]);
  return new Map([...Object.entries(model.vocab), ...added]);
}

async function same(one: string, other: string, names: string[]): Promise<void> {
  for (const name of names) {
    assert.deepEqual(await Deno.readFile(join(one, name)), await Deno.readFile(join(other, name)), name);
  }
}

Deno.test("sft --model trains everything, logs each task's loss, and its run is evaluated and gives advice", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const { run, checkpoint, metrics, lines } = await train(dir, {
      dropout: 0,
      evalSamples: 1,
      evalBeams: 4,
      reportTo: ["tensorboard"],
    });
    assert.deepEqual(filesIn(checkpoint), [...CHECKPOINT, ...STATE]);
    const [before, after] = [await tensorsOf(join(dir, "model")), await tensorsOf(checkpoint)];
    assert.equal(after.config.vocab_size, KNOWN + SID_TOKENS);
    assert.deepEqual([...after.old.keys()].sort(), [...before.old.keys()].sort());
    for (const [name, data] of after.old) assert.notDeepEqual(data, before.old.get(name), name);

    const steps = metrics.filter(({ loss }) => loss !== undefined);
    assert.deepEqual(steps.map(({ step }) => step), [1, 2, 3]);
    assert.ok(steps[2].loss < steps[0].loss, `loss went from ${steps[0].loss} to ${steps[2].loss}`);
    const seen = new Set(steps.flatMap(({ taskLoss }) => Object.keys(taskLoss)));
    assert.deepEqual([...seen].sort(), [...TASKS].sort());
    assert.ok(filesIn(join(run.path, "tensorboard"))!.some((name) => name.includes("tfevents")));
    assert.match(lines[0], /^ +task +rows/);
    const rows = lines.slice(1, 5).map((line) => line.trim().split(/ +/).slice(0, 2).join(" "));
    assert.deepEqual(rows, ["next-item 3", "sid-to-title 4", "title-to-sid 4", "history-to-title 3"]);
    assert.match(lines[5], /^Memory: about .* for the training, its validations and checkpoints/);
    assert.match(lines[6], /^Model: [\d.]+K parameters, on /);
    assert.match(lines[7], /^Data: 14 sequences, \d+ tokens an epoch$/);
    assert.equal(lines[8], "Steps: 3");
    assert.match(lines.at(-2)!, /^Finished after 3 steps, \d+s, [\d.]+K? tokens\/s\.$/);
    assert.match(lines.at(-1)!, /^Evaluate with: genrec evaluate --run .*run --data .*data --out .*eval$/);

    const io = collector();
    await evaluate.run(evaluate.config.parse({ run: run.path, out: join(dir, "eval"), beams: 4 }), io.io);
    const report = JSON.parse(await Deno.readTextFile(join(dir, "eval/metrics.json")));
    assert.deepEqual([report.users, report.invalid], [1, 0]);
    await recommend.run(recommend.config.parse({ run: run.path, history: [1, 2] }), io.io);
    assert.ok(io.lines.some((line) => /<a_1><b_2> .* Blue Tape/.test(line)), io.lines.join("\n"));
  });
});

Deno.test("sft --freeze llm changes the rows of new tokens alone; its checkpoint is a model to go on from", async () => {
  await withShop("qwen3", {}, async (dir) => {
    const { checkpoint } = await train(dir, { freeze: "llm" });
    const [before, after] = [await tensorsOf(join(dir, "model")), await tensorsOf(checkpoint)];
    assert.deepEqual(after.old, before.old);
    assert.deepEqual([...after.fresh.keys()].sort(), [HEAD, EMBEDDING]);

    // The tokens of the index are there: their rows start as they are, and train.
    const next = await train(dir, {
      model: checkpoint,
      freeze: "llm",
      out: join(dir, "next"),
      learningRate: 1e-9,
    });
    const again = await tensorsOf(next.checkpoint);
    assert.deepEqual(again.old, before.old);
    for (const [name, data] of again.fresh) {
      const far = data.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - after.fresh.get(name)![i])),
        0,
      );
      assert.ok(far < 1e-6, `${name} moved by ${far}`);
    }
    const trained = next.lines.find((line) => line.startsWith("Model: "))!;
    assert.match(trained, new RegExp(`, ${2 * SID_TOKENS * 16} of them trained`));
    const moved = await tensorsOf(
      (await train(dir, { model: checkpoint, freeze: "llm", out: join(dir, "third") })).checkpoint,
    );
    assert.deepEqual(moved.old, before.old);
    for (const [name, data] of moved.fresh) assert.notDeepEqual(data, after.fresh.get(name), name);
  });
});

Deno.test("sft --lora-r stopped and resumed: the same adapter, merged into what else is the model's own", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const targets = ["q_proj", "down_proj"];
    const settings = { loraR: 4, loraAlpha: 8, loraDropout: 0.1, loraTargetModules: targets, saveSteps: 1 };
    const whole = await train(dir, settings);
    const files = [
      ...CHECKPOINT,
      ...STATE.slice(1),
      "adapter/adapter_config.json",
      "adapter/adapter_model.safetensors",
      "adapter/tokenizer.json",
      "adapter/tokenizer_config.json",
    ];
    assert.deepEqual(filesIn(whole.checkpoint), ["adapter/", ...files, "trainer.json"].sort());

    const out = join(dir, "parts");
    const stopped = collector((label, done) => label === "sft" && done === 2);
    await sft.run(tiny(dir, { ...settings, out }), stopped.io);
    assert.match(
      stopped.lines.at(-1)!,
      /^Stopped, .*parts is saved\. Continue with: genrec sft --config .* --resume$/,
    );
    const resumed = await train(dir, { ...settings, out, resume: true });
    assert.ok(resumed.lines.includes("Steps: 3, 2 of them done before"), resumed.lines.join("\n"));
    await same(whole.checkpoint, resumed.checkpoint, files);
    assert.deepEqual(resumed.metrics, whole.metrics);

    const [before, after] = [await tensorsOf(join(dir, "model")), await tensorsOf(whole.checkpoint)];
    const adapter = readSafetensors(
      await Deno.readFile(join(whole.checkpoint, "adapter/adapter_model.safetensors")),
    );
    for (const [name, data] of after.old) {
      if (!targets.some((target) => name.endsWith(`${target}.weight`))) {
        assert.deepEqual(data, before.old.get(name), name);
        continue;
      }
      const part = (which: string) =>
        adapter.get(`base_model.model.${name.replace(".weight", `.lora_${which}.weight`)}`)!;
      const [a, b] = [part("A"), part("B")];
      const [r, cols] = a.shape;
      for (let at = 0; at < data.length; at += 7) {
        let delta = 0;
        for (let k = 0; k < r; k++) {
          delta += b.data[Math.floor(at / cols) * r + k] * a.data[k * cols + at % cols];
        }
        const expected = before.old.get(name)![at] + 2 * delta;
        assert.ok(
          Math.abs(data[at] - expected) < 1e-5,
          `${name} at ${at} is ${data[at]}, expected ${expected}`,
        );
      }
    }
    // Adapters and new rows have moments, nothing else.
    const state = readSafetensors(await Deno.readFile(join(whole.checkpoint, "trainer.safetensors")));
    const own = [...adapter].filter(([name]) => name.includes("lora_"));
    const trained = own.reduce((sum, [, { data }]) => sum + data.length, SID_TOKENS * 16);
    const moved = state.get("v")!.data.filter((value) => value !== 0).length;
    assert.ok(moved > 0 && moved <= trained, `${moved} moments of ${trained} numbers that are trained`);
  });
});

Deno.test("sft --gradient-checkpointing writes the same bytes", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const settings = { loraR: 2, loraDropout: 0.2, maxSteps: 1 };
    const kept = await train(dir, settings);
    const again = await train(dir, { ...settings, gradientCheckpointing: true, out: join(dir, "again") });
    await same(kept.checkpoint, again.checkpoint, [...CHECKPOINT, "trainer.safetensors"]);
    assert.deepEqual(again.metrics, kept.metrics);
  });
});

Deno.test("sft --batch-size takes as many sequences a step, whatever fits a micro batch", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const settings = { batchSize: 14, dropout: 0, maxSteps: 1, trieLossWeight: 0.5 };
    const one = await train(dir, { ...settings, tokensPerBatch: 512 });
    const many = await train(dir, { ...settings, tokensPerBatch: 64, out: join(dir, "many") });
    const [[a], [b]] = [one.metrics, many.metrics];
    assert.ok(Math.abs(a.loss - b.loss) < 1e-4, `loss ${b.loss}, of one batch ${a.loss}`);
    assert.ok(Math.abs(a.gradNorm / b.gradNorm - 1) < 1e-3, `norm ${b.gradNorm}, of one batch ${a.gradNorm}`);
    for (const task of TASKS) assert.ok(Math.abs(a.taskLoss[task] - b.taskLoss[task]) < 1e-4, task);

    const rest = await train(dir, { batchSize: 5, maxSteps: 0, numTrainEpochs: 1, out: join(dir, "rest") });
    assert.deepEqual(rest.metrics.map(({ epoch }) => epoch), [0.333, 0.667, 1]);
  });
});

Deno.test("sft --from-scratch takes the architecture, --trim-vocabulary leaves tokens that no row has", async () => {
  await withShop("llama", {}, async (dir) => {
    const { checkpoint } = await train(dir, { fromScratch: true, maxSteps: 1 });
    const [before, after] = [await tensorsOf(join(dir, "model")), await tensorsOf(checkpoint)];
    assert.deepEqual({ ...after.config, vocab_size: 0 }, {
      ...before.config,
      vocab_size: 0,
      pad_token_id: after.config.pad_token_id,
    });
    for (const [name, data] of after.old) {
      if (name.endsWith("_proj.weight")) assert.notDeepEqual(data, before.old.get(name), name);
    }

    const small = await train(dir, {
      tokenizer: join(dir, "model"),
      trimVocabulary: true,
      tasks: ["next-item", "title-to-sid"],
      ...{
        hiddenSize: 16,
        intermediateSize: 16,
        numHiddenLayers: 1,
        numAttentionHeads: 2,
        numKeyValueHeads: 1,
      },
      maxSteps: 1,
      out: join(dir, "small"),
    });
    const { config } = await tensorsOf(small.checkpoint);
    const tokenizer = new Tokenizer(await Deno.readFile(join(small.checkpoint, "tokenizer.json")));
    assert.equal(config.vocab_size, tokenizer.vocabulary);
    assert.ok(
      tokenizer.vocabulary > 256 + SID_TOKENS && tokenizer.vocabulary < KNOWN,
      `${tokenizer.vocabulary} tokens`,
    );
    const io = collector();
    await evaluate.run(
      evaluate.config.parse({ run: small.run.path, out: join(dir, "eval"), beams: 4 }),
      io.io,
    );
    assert.match(io.lines.at(-1)!, /^Wrote /);
  });
});

Deno.test("sft --dry-run says what the run takes and writes nothing", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const before = filesIn(dir);
    const { io, lines } = collector();
    await sft.run(tiny(dir, { dryRun: true, loraR: 4 }), io);
    assert.deepEqual(filesIn(dir), before);
    for (const fact of ["parameters", "tokens an epoch", "steps", "FLOPs", "memory", "  activations"]) {
      assert.ok(lines.some((line) => line.startsWith(fact)), `no ${fact} in\n${lines.join("\n")}`);
    }
  });
});

Deno.test("sft --trim-vocabulary keeps the pretrained rows of the tokens that are left, and what else the model is", async () => {
  await withShop("llama", {}, async (dir) => {
    const settings = { trimVocabulary: true, learningRate: 1e-12, weightDecay: 0, maxSteps: 1 };
    const { run, checkpoint } = await train(dir, { ...settings, tasks: ["next-item", "title-to-sid"] });
    const [before, after] = [
      await Pretrained.open(join(dir, "model"), diskFiles),
      await tensorsOf(checkpoint),
    ];
    const [whole, small] = [await idsOf(join(dir, "model")), await idsOf(checkpoint)];
    const { config } = after;
    assert.equal(config.vocab_size, small.size);
    assert.ok(small.size < KNOWN, `${small.size} tokens`);
    const endOf = ({ eos_token_id }: typeof config) => [eos_token_id].flat()[0];
    assert.equal([...small].find(([, id]) => id === endOf(config))![0], "<|endoftext|>");
    assert.equal(whole.get("<|endoftext|>"), endOf(before.config));

    const model = await Pretrained.open(checkpoint, diskFiles);
    const cols = config.hidden_size;
    let kept = 0;
    for (const name of [EMBEDDING, HEAD].slice(0, config.tie_word_embeddings ? 1 : 2)) {
      const [old, found] = [(await before.read(name)).data, (await model.read(name)).data];
      for (const [token, id] of small) {
        const from = whole.get(token);
        if (from === undefined) continue; // of the index
        const row = found.subarray(id * cols, (id + 1) * cols);
        row.forEach((value, i) => {
          const error = Math.abs(value - old[from * cols + i]);
          assert.ok(error < 1e-6, `${name}, ${token}: off by ${error}`);
        });
        kept++;
      }
    }
    assert.ok(kept > 256, `${kept} rows`);
    const io = collector();
    await evaluate.run(evaluate.config.parse({ run: run.path, out: join(dir, "eval"), beams: 4 }), io.io);
    const report = JSON.parse(await Deno.readTextFile(join(dir, "eval/metrics.json")));
    assert.deepEqual([report.users, report.invalid], [1, 0]);
  });
});

Deno.test("sft --save-dtype bfloat16 rounds checkpoints alone; a resumed run goes on as one that was not stopped", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const settings = { saveDtype: "bfloat16", saveSteps: 1 };
    const whole = await train(dir, settings);
    const exact = await train(dir, { out: join(dir, "exact") });
    const [rounded, single] = [
      await Pretrained.open(whole.checkpoint, diskFiles),
      await Pretrained.open(exact.checkpoint, diskFiles),
    ];
    const name = "model.layers.0.mlp.down_proj.weight";
    const [a, b] = [await rounded.read(name), await single.read(name)];
    assert.deepEqual([a.dtype, b.dtype], ["BF16", "F32"]);
    const again = readSafetensors(writeSafetensors(new Map([[name, b]]), { dtype: "BF16" })).get(name)!;
    assert.deepEqual(a.data, again.data);
    assert.equal(
      JSON.parse(await Deno.readTextFile(join(whole.checkpoint, "config.json"))).dtype,
      "bfloat16",
    );

    const out = join(dir, "parts");
    await sft.run(
      tiny(dir, { ...settings, out }),
      collector((label, done) => label === "sft" && done === 2).io,
    );
    const resumed = await train(dir, { ...settings, out, resume: true });
    await same(whole.checkpoint, resumed.checkpoint, [...CHECKPOINT, "trainer.safetensors"]);
  });
});
