// Bad input of fine-tuning: one message that names what is wrong, and no run directory.
import assert from "node:assert/strict";
import { join } from "node:path";
import { UserError } from "../../base/user_error.ts";
import { Tokenizer } from "../../models/tokenizer/tokenizer.ts";
import { task as evaluate } from "../../tasks/evaluate.ts";
import { task as sft } from "../../tasks/sft.ts";
import { filesIn, genrec } from "../tasks/genrec.ts";
import { collector, tiny, train, withShop } from "./text_shop.ts";

async function refuses(dir: string, settings: Record<string, unknown>, message: RegExp): Promise<void> {
  const before = filesIn(dir);
  await assert.rejects(() => sft.run(tiny(dir, settings), collector().io), (error: Error) => {
    assert.ok(error instanceof UserError, `${error.stack}`);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
  assert.deepEqual(filesIn(dir), before);
}

const file = (folder: string, name: string) => Deno.readTextFile(join(folder, name));

Deno.test("sft refuses a model directory that is incomplete, damaged, or of another kind", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const model = join(dir, "model");
    const changed = async (
      name: string,
      change: (text: string) => string | null,
      message: RegExp,
      settings: Record<string, unknown> = {},
    ) => {
      const path = join(model, name);
      const before = await Deno.readFile(path);
      const text = change(await file(model, name));
      await (text === null ? Deno.remove(path) : Deno.writeTextFile(path, text));
      await refuses(dir, settings, message);
      await Deno.writeFile(path, before);
    };
    const field = (name: string, value: unknown) => (text: string) =>
      JSON.stringify({ ...JSON.parse(text), [name]: value });
    await changed(
      "model-00002-of-00003.safetensors",
      () => null,
      /it has no model-00002-of-00003\.safetensors/,
    );
    await changed(
      "config.json",
      field("hidden_size", 32),
      /embed_tokens\.weight has shape \[300,16\], expected \[300,32\]/,
    );
    await changed(
      "config.json",
      field("model_type", "gpt2"),
      /model_type is "gpt2".*"llama"\|"qwen2"\|"qwen3"/,
    );
    await changed("tokenizer.json", () => null, /it has no tokenizer\.json/);
    await changed(
      "config.json",
      field("tie_word_embeddings", false),
      /no lm_head\.weight, and its config\.json says tie_word_embeddings false/,
      { dryRun: true }, // which loads no weights
    );
    // A token in a special role that tokenizer.json lacks is no fault: it is added, as transformers does.
    await changed("tokenizer_config.json", () => '{"eos_token":', /tokenizer_config\.json.*JSON/);
    const shard = join(model, "model-00001-of-00003.safetensors");
    await Deno.truncate(shard, (await Deno.stat(shard)).size - 5);
    await refuses(dir, {}, /model-00001.*should end at byte \d+, but the file has \d+ bytes/);
    await refuses(
      dir,
      { model: "Qwen/Qwen2.5-0.5B" },
      /from Qwen\/Qwen2\.5-0\.5B: no such directory.*nothing is fetched/,
    );
  });
});

Deno.test("sft refuses a tokenizer without an end of text, and settings that contradict each other", async () => {
  const none = { "model/tokenizer_config.json": "{}" };
  await withShop("qwen3", none, async (dir) => {
    const config = JSON.parse(await file(dir, "model/config.json"));
    await Deno.writeTextFile(
      join(dir, "model/config.json"),
      JSON.stringify({ ...config, eos_token_id: null }),
    );
    await refuses(dir, {}, /no end of text, which every answer needs/);
  });
  await withShop("qwen3", {}, async (dir) => {
    const scratch = { model: "", tokenizer: join(dir, "model") };
    await refuses(
      dir,
      { mode: "samples", loraR: 4 },
      /Cannot train adapters of a model from scratch.*--model/,
    );
    await refuses(dir, { ...scratch, freeze: "llm" }, /Cannot freeze a model from scratch/);
    await refuses(dir, { loraR: 4, freeze: "llm" }, /Cannot use --freeze llm with --lora-r/);
    await refuses(
      dir,
      { tokenizer: join(dir, "model"), model: join(dir, "model") },
      /Cannot use --tokenizer with the pret/,
    );
    await refuses(dir, { mode: "samples", valueAware: true }, /Cannot use --value-aware in mode samples/);
    await refuses(dir, { valueAware: true }, /no item of .* has a final_value above 0/);
    await refuses(dir, { maxLength: 512 }, /sequences of 512 tokens: .* has 128 positions/);
    await refuses(
      dir,
      { loraR: 4, loraTargetModules: ["q_prj"] },
      /target module is q_prj, expected some of q_proj/,
    );
  });
});

Deno.test("sft refuses tasks, prompts and rows that cannot be used", async () => {
  const templates = JSON.stringify({
    name: "mine",
    frame: { prompt: ["{input}"] },
    tasks: {},
    sytem: "You know it",
  });
  const rows = JSON.stringify([{ input: "<a_1>", output: "x" }, { input: "<a_1>" }]);
  await withShop("qwen2", { "mine.json": templates, "data/sft/train.json": rows }, async (dir) => {
    await refuses(
      dir,
      { tasks: ["next-itm"] },
      /task "next-itm": .*Expected one of .*next-item, .*Did you mean next-item\?/,
    );
    await refuses(dir, { tasks: ["rows"] }, /train\.json row 1.*output/);
    await refuses(dir, { prompts: join(dir, "mine.json") }, /mine\.json.*"?sytem"?/);
    await refuses(dir, { tasks: ["preference-to-sid"] }, /--preferences FILE/);
    await refuses(
      dir,
      { maxLength: 12, longSequences: "error" },
      /13 of 14 are longer than the 12 .*--long-sequences/,
    );
    await refuses(
      dir,
      { memoryLimit: 1e-4, emaDecay: 0.9 },
      /Cannot train in .*KiB of memory: .*(--[^,]* \([^)]*\), ){2}--/,
    );
    await Deno.remove(join(dir, "data/sft"), { recursive: true });
    await refuses(dir, { tasks: ["rows"] }, /task rows of .*: expected rows in sft\/train\.json/);
  });
});

Deno.test("sft for which there is not enough memory tells what a trimmed vocabulary would save", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const path = join(dir, "model/tokenizer.json");
    const words = Array.from({ length: 5000 }, (_, i) => `<word ${i}>`);
    await Deno.writeFile(path, new Tokenizer(await Deno.readFile(path)).withTokens(words).json);
    // A validation searches by the index, whose tokens have other numbers in a smaller vocabulary. Checkpointing saves nothing
    // here: what activations give back is what writing a checkpoint takes.
    for (const evalSamples of [0, 4]) {
      // A process of its own: it counts too, and tests beside this one would make it large.
      const settings = tiny(dir, { fromScratch: true, memoryLimit: 0.002, evalSamples });
      await Deno.writeTextFile(join(dir, "lean.yaml"), JSON.stringify(settings));
      const { code, stdout, stderr } = await genrec(dir, ["sft", "--config", "lean.yaml", "--dry-run"]);
      assert.equal(code, 1);
      const [, told] = /^memory +(\S+ MiB)$/m.exec(stdout)!;
      assert.ok(stderr.includes(`this run takes ${told}, `), stdout + stderr);
      assert.match(
        stderr,
        /takes (\d+\.\d) MiB, .* combine --trim-vocabulary \((?!\1)\d+\.\d MiB\)/,
      );
    }
    // Of pretrained weights the rows that go are frozen ones.
    const { checkpoint } = await train(dir, { fromScratch: true, maxSteps: 1 });
    const frozen = tiny(dir, { model: checkpoint, out: join(dir, "b"), freeze: "llm", memoryLimit: 0.002 });
    await assert.rejects(
      () => sft.run(frozen, collector().io),
      /Nothing is enough alone, .*--trim-vocabulary/,
    );
  });
});

Deno.test("sft whose loss is not finite saves the step's texts, and its checkpoints stay", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const settings = { learningRate: 1e30, maxGradNorm: 0, maxSteps: 20, dropout: 0, weightDecay: 0 };
    const { io, lines } = collector();
    let named = "";
    await assert.rejects(() => sft.run(tiny(dir, settings), io), (error: Error) => {
      named = /What it learned from is in (.*failed-batch-\d+);/.exec(error.message)?.[1] ??
        assert.fail(error.message);
      return true;
    });
    const sequences = (await file(named, "sequences.jsonl")).trim().split("\n").map((line) =>
      JSON.parse(line)
    );
    assert.ok(sequences.some(({ text }) => text.startsWith("Next item\n<a_")), sequences[0].text);
    assert.ok(!lines.some((line) => line.includes("--resume")), "going on would fail again");
  });
});

Deno.test("evaluate refuses an index whose tokens the run's tokenizer lacks; sft --resume other prompts", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const { run } = await train(dir, { maxSteps: 1 });
    const prompts = join(run.path, "prompts.json");
    const before = await Deno.readTextFile(prompts);
    await Deno.writeTextFile(prompts, before.replace("Next item", "What next"));
    await refuses(
      dir,
      { maxSteps: 1, resume: true },
      /Cannot resume .*: tokenizer or prompts have changed.*prompts\.json/,
    );
    await Deno.writeTextFile(prompts, before);

    const index = join(run.path, "index.json");
    await Deno.writeTextFile(index, (await Deno.readTextFile(index)).replace("<a_2>", "<a_9>"));
    // A run from before has no catalogue.json, which would tell first.
    await Deno.remove(join(run.path, "catalogue.json"));
    const flags = evaluate.config.parse({ run: run.path, out: join(dir, "eval") });
    await assert.rejects(
      () => evaluate.run(flags, collector().io),
      /its tokenizer lacks 1 of the index's tokens \(<a_9>\)/,
    );
  });
});

Deno.test("the command line ends with exit code 1 and one line where a model cannot be used", async () => {
  await withShop("qwen2", { "model/config.json": "" }, async (dir) => {
    const { code, stdout, stderr } = await genrec(dir, "sft --data data --model model --out run".split(" "));
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^error: Cannot load a model from model: it has no config\.json\..*\n$/);
  });
});
