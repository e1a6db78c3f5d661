import assert from "node:assert/strict";
import { join } from "node:path";
import { loadDataset } from "../../../data/formats/load.ts";
import { diskFiles } from "../../../base/files/disk.ts";
import { EMBEDDING, HEAD } from "../../../models/decoder/blocks.ts";
import { readSafetensors, writeSafetensors } from "../../../models/safetensors/safetensors.ts";
import { Tokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { type SftConfig, sftConfig } from "../../../train/sft/config.ts";
import { readTokenizer } from "../../../models/tokenizer/from_folder.ts";
import { rowCounts, savedTextPrompts, taskWeights, textInputs } from "../../../train/sft/text_inputs.ts";
import { KNOWN, SID_TOKENS, withShop } from "../../scenarios/text_shop.ts";

async function inputsOf(dir: string, settings: Partial<SftConfig> = {}) {
  const data = join(dir, "data");
  const dataset = await loadDataset(data);
  const config = sftConfig({ model: join(dir, "model"), maxLength: 96, ...settings });
  return { dataset, ...await textInputs(dataset, dataset.sids!, { ...config, data }, diskFiles) };
}

/** Puts a tokenizer with further tokens in place of that of `model/`. */
async function withTokens(dir: string, ...tokens: string[][]): Promise<void> {
  const path = join(dir, "model/tokenizer.json");
  let tokenizer = new Tokenizer(await Deno.readFile(path));
  for (const some of tokens) tokenizer = tokenizer.withTokens(some);
  await Deno.writeFile(path, tokenizer.json);
}

/** Gives `model/` tables of so many rows. */
async function withRows(dir: string, rows: number): Promise<void> {
  const [config, weights] = ["model/config.json", "model/model.safetensors"].map((name) => join(dir, name));
  const tensors = readSafetensors(await Deno.readFile(weights));
  for (const name of [EMBEDDING, HEAD]) {
    const { shape: [, cols], data } = tensors.get(name)!;
    const longer = new Float32Array(rows * cols);
    longer.set(data);
    tensors.set(name, { dtype: "F32", shape: [rows, cols], data: longer });
  }
  await Deno.writeFile(weights, writeSafetensors(tensors));
  const text = JSON.parse(await Deno.readTextFile(config));
  await Deno.writeTextFile(config, JSON.stringify({ ...text, vocab_size: rows }));
}

const SIDS = ["<a_1>", "<a_2>", "<a_4>", "<b_0>", "<b_2>", "<b_3>"];

Deno.test("textInputs() puts the tokens of the index behind those of the tokenizer, and trains the rows of both", async () => {
  await withShop("qwen3", {}, async (dir) => {
    const { firstNewRow, frozenRows, architecture, tokenizer } = await inputsOf(dir);
    assert.deepEqual([firstNewRow, frozenRows, architecture.vocab_size], [KNOWN, KNOWN, KNOWN + SID_TOKENS]);
    assert.deepEqual(SIDS.map((token) => tokenizer.idOf(token)), [300, 301, 302, 303, 304, 305]);
    assert.equal(tokenizer.decode(Uint32Array.of(303, 300)), "<b_0><a_1>");

    // A tokenizer may be ahead of its model by the tokens of the index, which get rows anyway, and by no others.
    await withTokens(dir, SIDS);
    const ahead = await inputsOf(dir);
    assert.deepEqual([ahead.firstNewRow, ahead.frozenRows], [KNOWN, KNOWN]);
    await withTokens(dir, ["<zzz>"]);
    for (const trimVocabulary of [false, true]) {
      await assert.rejects(() => inputsOf(dir, { trimVocabulary }), {
        name: "UserError",
        message: /Cannot train .*model: its tokenizer has 307 tokens, but its embedding 300 rows\. Expected/,
      });
    }
    const fresh = await inputsOf(dir, { fromScratch: true });
    assert.equal(fresh.architecture.vocab_size, KNOWN + SID_TOKENS + 1);
  });
});

Deno.test("textInputs() takes rows to spare, trains those that a checkpoint has, and refuses to freeze all", async () => {
  await withShop("qwen3", {}, async (dir) => {
    await withRows(dir, 320);
    const { firstNewRow, frozenRows, architecture } = await inputsOf(dir);
    assert.deepEqual([firstNewRow, frozenRows, architecture.vocab_size], [KNOWN, KNOWN, 320]);
    await withTokens(dir, SIDS);
    const known = await inputsOf(dir, { freeze: "llm" });
    assert.deepEqual([known.firstNewRow, known.frozenRows], [KNOWN + SID_TOKENS, KNOWN]);
    await withTokens(dir, ["<zzz>"]);
    assert.equal((await inputsOf(dir)).frozenRows, KNOWN + SID_TOKENS + 1);
    await assert.rejects(() => inputsOf(dir, { freeze: "llm" }), /Cannot freeze .*no rows are left to train/);
  });
});

Deno.test("textInputs() gives the prompts that the run's own files give later", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const { dataset, prompts, source, companions, tokenizer } = await inputsOf(dir);
    for (const { name, bytes } of companions) await Deno.writeFile(join(dir, name), bytes);
    const settings = sftConfig({ maxLength: 96 });
    const saved = await savedTextPrompts(dataset, dataset.sids!, dir, settings, diskFiles);
    const [sample] = dataset.samples.train;
    assert.deepEqual(saved.prompt(sample.history), prompts.prompt(sample.history));
    assert.deepEqual(saved.itemTokens, prompts.itemTokens);
    assert.deepEqual(saved.text!.trained, source.tasks);
    // And those are what the rows of training begin with.
    const row = source.ranges.find(({ name }) => name === "next-item")!.start;
    assert.equal(tokenizer.decode(source.prompt(row)), tokenizer.decode(prompts.prompt(sample.history)));
    assert.equal(
      tokenizer.decode(source.target(row), true),
      `${dataset.sids![sample.target].join("")}<|endoftext|>`,
    );
  });
});

Deno.test("readTokenizer() takes the chat template from a file of its own, and from tokenizer_config.json without", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const path = join(dir, "model/tokenizer_config.json");
    const config = JSON.parse(await Deno.readTextFile(path));
    await Deno.writeTextFile(path, JSON.stringify({ ...config, chat_template: "old" }));
    assert.equal((await readTokenizer(join(dir, "model"), diskFiles)).tokenizerConfig.chat_template, "old");
    await Deno.writeTextFile(join(dir, "model/chat_template.jinja"), "{{ messages }}");
    const { companions } = await inputsOf(dir);
    const written = companions.find(({ name }) => name === "tokenizer_config.json")!;
    assert.equal(JSON.parse(new TextDecoder().decode(written.bytes)).chat_template, "{{ messages }}");
    const named = await readTokenizer(join(dir, "model/tokenizer.json"), diskFiles);
    assert.equal(named.tokenizer.vocabulary, KNOWN);
  });
});

Deno.test("taskWeights() reads names with weights and refuses what is neither", () => {
  assert.deepEqual(taskWeights(["next-item", "sid-to-title=0.5", "title-to-sid=.25"]), {
    "next-item": 1,
    "sid-to-title": 0.5,
    "title-to-sid": 0.25,
  });
  for (const tasks of [["next-item", "next-item=2"], ["next-item=-1"], ["next-item:2"], [""]]) {
    assert.throws(() => taskWeights(tasks), /expected each name once, with a weight or without/);
  }
  assert.throws(
    () => taskWeights(["titles-to-sids"]),
    /Cannot train on task .*no such task.*Did you mean titles-to-sid\?/,
  );
});

Deno.test("rowCounts() reads a number of rows for tasks that are trained on", () => {
  const tasks = { "next-item": 1, "titles-to-sid": 0.5 };
  assert.deepEqual(rowCounts(["titles-to-sid=10000"], tasks), { "titles-to-sid": 10_000 });
  assert.deepEqual(rowCounts([], tasks), {});
  for (const text of ["title-to-sid=5", "next-item", "next-item=0", "next-item=half"]) {
    assert.throws(() => rowCounts([text], tasks), {
      name: "UserError",
      message: /expected one of the tasks next-item, titles-to-sid and a number/,
    });
  }
});
