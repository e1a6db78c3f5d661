import assert from "node:assert/strict";
import { join } from "node:path";
import { parseArgs } from "../../../tasks/_cli/cli.ts";
import { task as sft } from "../../../tasks/sft.ts";
import { asked, sid, withRowsData } from "../../scenarios/rows_shop.ts";
import { collector } from "../../scenarios/text_shop.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

const COLUMNS = { prompt: "instruction", query: "input", response: "output", system: "system" };
const INFO = {
  shop_train: { file_name: "shop/sft/train.json", columns: COLUMNS },
  shop_valid: { file_name: "shop/sft/valid.json" },
  other_valid: { file_name: "other/sft/valid.json" },
  chats: { file_name: "shop/sft/train.json", formatting: "sharegpt" },
  loose: { file_name: "rows.json" },
  texts: { file_name: "shop/sft/train.json", columns: { ...COLUMNS, query: "text" } },
};

/** As MIMIGenRec's training files have it. */
const YAML = `
model_name_or_path: models/qwen
trust_remote_code: true
stage: sft
do_train: true
finetuning_type: full
deepspeed: examples/deepspeed/ds_z0_config.json
add_tokens_list: shop/new_tokens.json
dataset: shop_train
eval_dataset: shop_valid
cutoff_len: 512
preprocessing_num_workers: 16
output_dir: saves/shop
logging_steps: 1
save_steps: 0.05
save_total_limit: 1
report_to: wandb
per_device_train_batch_size: 32
gradient_accumulation_steps: 8
learning_rate: 3.0e-4
num_train_epochs: 10.0
lr_scheduler_type: cosine
warmup_steps: 20
bf16: true
eval_strategy: steps
eval_steps: 0.05
load_best_model_at_end: true
metric_for_best_model: loss
early_stopping_steps: 3
`;

/** What `sft` makes of a file, with flags beside it. */
async function parsed(yaml: string, ...flags: string[]) {
  let found: ReturnType<typeof parseArgs<typeof sft.config>>;
  const files = { "dataset_info.json": JSON.stringify(INFO), "train.yaml": yaml };
  await withFiles(files, (dir) => {
    const text = yaml.includes("dataset_dir") ? yaml : `${yaml}\ndataset_dir: ${dir}\n`;
    Deno.writeTextFileSync(join(dir, "train.yaml"), text);
    found = parseArgs(sft, ["--config", join(dir, "train.yaml"), ...flags]);
    if (found) found.config.data = found.config.data.replace(`${dir}/`, "");
    return Promise.resolve();
  });
  return found!;
}

Deno.test("sft reads a training file of LlamaFactory: its keys, its defaults, its dataset_info.json", async () => {
  const { config, notes } = await parsed(YAML);
  const { data, out, model, mode, tasks, prompts, batchSize, ...rest } = config;
  assert.deepEqual({ data, out, model, mode, tasks, prompts, batchSize }, {
    data: "shop",
    out: "saves/shop",
    model: "models/qwen",
    mode: "tasks",
    tasks: ["rows"],
    prompts: "chat",
    batchSize: 256,
  });
  const { maxLength, learningRate, numTrainEpochs, lrSchedulerType, warmupSteps, saveSteps, evalSteps } =
    rest;
  assert.deepEqual([
    maxLength,
    learningRate,
    numTrainEpochs,
    lrSchedulerType,
    warmupSteps,
    saveSteps,
    evalSteps,
  ], [
    512,
    3e-4,
    10,
    "cosine",
    20,
    0.05,
    0.05,
  ]);
  assert.deepEqual([rest.patience, rest.metricForBestModel, rest.reportTo, rest.loraR, rest.weightDecay], [
    3,
    "loss",
    ["wandb"],
    0,
    0,
  ]);
  assert.match(
    notes[0],
    /read as a training file of LlamaFactory: tasks rows, --prompts chat, 256 rows a step/,
  );
  assert.match(notes[1], /change nothing here: trust_remote_code, do_train, deepspeed, add_tokens_list, /);

  // Flags win, keys of ours may stand beside its own, and what a file leaves out is what LlamaFactory does.
  const { config: lora } = await parsed(
    "model_name_or_path: m\ndataset: shop_train\nevalBeams: 7\nlora_target: q_proj, v_proj\nmax_samples: 100",
    "--out",
    "runs/a",
    "--prompts",
    "genrec",
  );
  const { loraR, loraAlpha, loraTargetModules, evalBeams, taskRows } = lora;
  assert.deepEqual([loraR, loraAlpha, loraTargetModules, evalBeams, taskRows], [
    8,
    16,
    ["q_proj", "v_proj"],
    7,
    ["rows=100"],
  ]);
  for (const [theirs, ours] of [["adamw_torch_fused", "adamw_torch"], ["paged_adamw_8bit", "adamw_8bit"]]) {
    const { config } = await parsed(`stage: sft\ndataset: shop_train\noptim: ${theirs}`, "--out", "o");
    assert.equal(config.optim, ours);
  }
  assert.deepEqual([lora.prompts, lora.learningRate, lora.batchSize, lora.lrSchedulerType, lora.maxLength], [
    "genrec",
    5e-5,
    8,
    "linear",
    2048,
  ]);
});

Deno.test("several datasets of LlamaFactory are trained on together, and warmup_ratio is a share of the steps", async () => {
  const { config } = await parsed(
    `${
      YAML.replace("dataset: shop_train", "dataset: shop_train, loose").replace(
        "warmup_steps: 20",
        "warmup_ratio: 0.03",
      )
    }` +
      "mix_strategy: concat",
    "--out",
    "o",
  );
  const { data, rows, warmupSteps } = config;
  assert.deepEqual([data, rows.map((path) => path.replace(/^.*?(shop|rows)/, "$1")), warmupSteps], [
    "shop",
    ["shop/sft/train.json", "rows.json"],
    0.03,
  ]);
  // Steps go before a share, as in Hugging Face's schedules.
  assert.equal((await parsed(`${YAML}warmup_ratio: 0.5`, "--out", "o")).config.warmupSteps, 20);
  assert.equal(
    (await parsed("stage: sft\ndataset: shop_train\nwarmup_ratio: 0.5\nwarmup_steps: 0", "--out", "o")).config
      .warmupSteps,
    0.5,
  );
});

Deno.test("what a file of LlamaFactory says that has no meaning here is named, with what to use instead", async () => {
  const cases: [string, RegExp][] = [
    ["stage: dpo", /Cannot use stage "dpo" of .*expected sft\. Reinforcement is genrec rl/],
    ["stage: sft\noptim: lion_8bit", /optim "lion_8bit" .*: expected adafactor or adamw_8bit or adamw_torch/],
    ["finetuning_type: freeze", /finetuning_type "freeze".*expected full or lora\. .*freezes?.* freeze: llm/],
    ["stage: sft\nval_size: 0.1", /Cannot use val_size 0\.1 .*: The valid split of the dataset is measured/],
    [
      "stage: sft\ninterleave_probs: 0.5,0.5",
      /interleave_probs "0\.5,0\.5" .*: Rows of all datasets are shuffled/,
    ],
    [
      "stage: sft\nmix_strategy: interleave_over",
      /mix_strategy "interleave_over" .*: expected concat\. Rows of all/,
    ],
    [
      "stage: sft\ndataset: shop_train,loose\nmax_samples: 50",
      /max_samples 50 .*each of 2 datasets there\. Use taskRows: \[rows=100\]/,
    ],
    ["stage: sft\nlearning_rat: 1", /learning_rat 1 .*Did you mean learning_rate\?/],
    ["stage: sft\nmetric_for_best_model: rouge", /expected loss or eval_loss/],
    ["stage: sft\ndataset: shop_trains", /dataset_info\.json has shop_train, .*Did you mean/],
    ["stage: sft\ndataset: shop_train,chats", /dataset "chats" .* has its rows as sharegpt/],
    ["stage: sft\ndataset: loose,shop_train", /of several datasets the first one has them/],
    ["stage: sft\ndataset: shop_train\neval_dataset: shop_valid,loose", /it names several to measure/],
    ["stage: sft\ndataset: chats", /has its rows as sharegpt, expected alpaca/],
    ["stage: sft\ndataset: texts", /takes query from column "text", expected input\. Rename/],
    [
      "stage: sft\ndataset: loose",
      /has its rows in rows\.json, expected DIR\/sft\/train\.json beside DIR\/id2sid/,
    ],
    [
      "stage: sft\ndataset: shop_train\neval_dataset: other_valid",
      /it lies in .*other, the train rows in .*shop/,
    ],
    ["stage: sft\ndataset: shop_train\ndataset_dir: nowhere", /nowhere\/dataset_info\.json.*Set dataset_dir/],
  ];
  for (const [yaml, message] of cases) {
    await assert.rejects(() => parsed(yaml, "--out", "o"), { name: "UserError", message }, yaml);
  }
  // A file of ours stays one.
  await assert.rejects(() => parsed("maxStep: 3"), { name: "UsageError", message: /Unknown key maxStep/ });
});

Deno.test("sft trains as a file of LlamaFactory says, and the run is asked in the chat of its rows", async () => {
  await withRowsData(async (dir) => {
    const info = {
      shop: { file_name: "data/sft/train.json", columns: COLUMNS },
      more: { file_name: "more.json" },
    };
    const more = [1, 2, 3].map((item) => ({ input: `Which is T${item}?`, output: sid(item) }));
    await Deno.writeTextFile(join(dir, "more.json"), JSON.stringify(more));
    await Deno.writeTextFile(join(dir, "dataset_info.json"), JSON.stringify(info));
    const path = join(dir, "train.yaml"), out = join(dir, "run");
    const lines = [
      `model_name_or_path: ${dir}/model`,
      "finetuning_type: full",
      `dataset_dir: ${dir}`,
      "dataset: shop,more",
      `output_dir: ${out}`,
      "cutoff_len: 128",
      "max_steps: 2",
      "per_device_train_batch_size: 8",
      "eval_strategy: no",
    ];
    await Deno.writeTextFile(path, lines.join("\n"));
    const { io, lines: told } = collector();
    await sft.run(parseArgs(sft, ["--config", path])!.config, io);
    assert.match(told.join("\n"), /rows +83 /); // 80 of the first, 3 of the other
    const { config } = parseArgs(sft, ["--config", path])!, out2 = join(dir, "other");
    await assert.rejects(() => sft.run({ ...config, out: out2, tasks: ["next-item"] }, io), {
      name: "UserError",
      message: /Cannot use --rows .* without task rows: .* Add rows to --tasks/,
    });
    assert.equal(
      await asked(out, [3, 4]),
      `<|im_start|>system\nShop.<|im_end|>\n<|im_start|>user\nWhat next?\nTook ${sid(3)}, ${
        sid(4)
      } so far.<|im_end|>\n` +
        "<|im_start|>assistant\n",
    );
  });
});
