// A directory as MIMIGenRec writes it, of items that each follow from the one before, and runs on it.
import { join } from "node:path";
import { task as evaluate } from "../../tasks/evaluate.ts";
import { openSidRun } from "../../train/runs/open_run.ts";
import { withFiles } from "../data/formats/minionerec/fixture.ts";
import { saveModel } from "../golden/decoder/saved_models.ts";
import { collector, train } from "./text_shop.ts";

export const ITEMS = 40;
export const SYSTEM = "Shop.", INSTRUCTION = "What next?";
export const sid = (item: number) => `<a_${item % 8}><b_${Math.floor(item / 8)}>`;
export const next = (item: number) => (item + 1) % ITEMS;

/** Histories of items that each follow from the one before, by the item asked for. */
export function histories(length: number): { history: number[]; target: number }[] {
  return Array.from({ length: ITEMS }, (_, first) => {
    const items = [first];
    while (items.length <= length) items.push(next(items.at(-1)!));
    return { history: items.slice(0, -1), target: items.at(-1)! };
  });
}

export const input = (history: readonly number[]) => `Took ${history.map(sid).join(", ")} so far.`;

/** A directory as MIMIGenRec writes it; its test rows are worded otherwise, as there. */
function mimigenrecFiles(): Record<string, string> {
  const rows = (samples: ReturnType<typeof histories>, words = input) =>
    samples.map(({ history, target }) => ({
      system: SYSTEM,
      instruction: INSTRUCTION,
      input: words(history),
      output: sid(target),
    }));
  const rlRows = histories(2).map(({ history, target }, index) => ({
    data_source: "shop",
    prompt: [{ role: "system", content: SYSTEM }, { role: "user", content: input(history) }],
    ability: "seq_rec",
    reward_model: { style: "rule", ground_truth: sid(target) },
    extra_info: { split: "train", index, task: "task1_sid_sft" },
  }));
  const items = Array.from({ length: ITEMS }, (_, item) => item);
  const tokens = (item: number) => sid(item).match(/<.*?>/g)!;
  const files = {
    "id2sid.json": Object.fromEntries(items.map((item) => [item, tokens(item)])),
    "new_tokens.json": [...new Set(items.flatMap(tokens))].sort(),
    "item.json": Object.fromEntries(items.map((item) => [item, { title: `T${item}`, description: "" }])),
    "sft/train.json": rows([...histories(1), ...histories(2)]),
    "sft/valid.json": rows(histories(2).slice(0, 20)),
    "sft/test.json": rows(histories(2).slice(20), (history) => `Next after ${history.map(sid).join(", ")}`),
    "rl/train.json": rlRows,
  };
  return Object.fromEntries(
    Object.entries(files).map(([name, value]) => [`data/${name}`, JSON.stringify(value)]),
  );
}

const CHAT =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

export const SETTINGS = {
  hiddenSize: 32,
  intermediateSize: 64,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  numKeyValueHeads: 2,
  tokensPerBatch: 2048,
  maxSteps: 150,
  numTrainEpochs: 200,
  learningRate: 0.01,
  labelSmoothing: 0,
  dropout: 0,
  evalSteps: 150,
  evalSamples: 20,
  evalBeams: 10,
};

/** Runs `use` in a folder with the data and a model that has a chat template. */
export async function withRowsData(use: (dir: string) => Promise<void>): Promise<void> {
  await withFiles(mimigenrecFiles(), async (dir) => {
    await Deno.mkdir(join(dir, "model"));
    for (const { name, bytes } of await saveModel("qwen2")) {
      await Deno.writeFile(join(dir, "model", name), bytes);
    }
    const path = join(dir, "model/tokenizer_config.json");
    const config = JSON.parse(await Deno.readTextFile(path));
    await Deno.writeTextFile(path, JSON.stringify({ ...config, chat_template: CHAT }));
    await use(dir);
  });
}

/** Runs `use` in a folder with the data and a run that was trained on `tasks`. */
export async function withRows(
  tasks: string[],
  settings: Record<string, unknown>,
  use: (dir: string, trained: Awaited<ReturnType<typeof train>>) => Promise<void>,
): Promise<void> {
  await withRowsData(async (dir) =>
    await use(dir, await train(dir, { tokenizer: join(dir, "model"), tasks, ...SETTINGS, ...settings }))
  );
}

export async function evaluated(dir: string, flags: Record<string, unknown> = {}) {
  const out = join(dir, "eval"), { io, lines } = collector();
  await evaluate.run(
    evaluate.config.parse({ run: join(dir, "run"), out, beams: 10, ks: [1, 10], ...flags }),
    io,
  );
  return { ...JSON.parse(await Deno.readTextFile(join(out, "metrics.json"))), lines };
}

/** What the run in a folder reads before it writes the item after `history`. */
export async function asked(run: string, history: number[], task = ""): Promise<string> {
  const { prompts } = await openSidRun(run, { task });
  return prompts.text!.prompts.tokenizer.decode(prompts.prompt(history), true);
}

/** Settings of a run that is only asked, not measured. */
export const SHORT = { maxSteps: 2, evalSteps: 2, evalSamples: 2 };
