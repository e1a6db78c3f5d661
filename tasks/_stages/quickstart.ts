import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import manifest from "../../deno.json" with { type: "json" };
import type { Dataset } from "../../data/dataset.ts";
import { loadDataset } from "../../data/formats/load.ts";
import { readText } from "../../base/files/text_file.ts";
import type { Evaluation, Prediction } from "../../eval/evaluate.ts";
import { SHOP_CODEBOOK, SHOP_TRAINING } from "../../train/pipeline/shop.ts";
import type { Task, TaskIO } from "../_cli/cli.ts";
import type { EvaluateReport } from "../_evaluate/report_lines.ts";
import { DeviceFlags } from "../_cli/open_device.ts";
import { evaluate, task as evaluateTask } from "../evaluate.ts";
import { duration } from "../_cli/progress.ts";
import { rl, task as rlTask } from "../rl.ts";
import { sft, task as sftTask } from "../sft.ts";
import { makeSids } from "../_sid/make.ts";
import { task as sidTask } from "../sid.ts";
import { tableLines } from "../_cli/table.ts";
import { claimFolder } from "./claim.ts";
import { byHand, type PipelineStage, runStages, trainingStage } from "./stages.ts";

const DATA = "synthetic";

/** Chosen on the valid split, as {@link SHOP_TRAINING}. */
const REINFORCEMENT = {
  reward: ["rule"],
  numGenerations: 10,
  promptsPerStep: 64,
  maxSteps: 60,
  learningRate: 1e-4,
  beta: 0.01,
  evalSteps: 30,
  evalSamples: 1000,
  patience: 0,
};
/** Share of transition counts in the mixture, chosen on the valid split. */
const MIXTURE = 0.5;

const config = z.strictObject({
  out: z.string().default("runs/quickstart").describe("folder to write"),
  steps: z.int().min(0).default(0).describe(
    `training steps, with a tenth as many of reinforcement; 0: as ${SHOP_TRAINING.numTrainEpochs} passes over the data ` +
      `take, and ${REINFORCEMENT.maxSteps}`,
  ),
  seed: z.int().min(0).default(42).describe("seed of everything random"),
  limit: z.int().min(0).default(0).describe("test cases to evaluate, the first ones; 0: all"),
  force: z.boolean().default(false).describe("delete what an earlier quickstart left in --out"),
  ...DeviceFlags,
});
type Flags = z.output<typeof config>;

export const task: Task<typeof config> = {
  name: "quickstart",
  summary: "all stages on the built-in data",
  examples: ["quickstart", "quickstart --out runs/first --steps 100"],
  config,
  run: quickstart,
};

async function quickstart(flags: Flags, io: TaskIO): Promise<void> {
  const { out } = flags;
  const started = performance.now();
  const fresh = await claim(flags);
  const dataset = await loadDataset(DATA);
  if (!fresh) io.log(`${out} holds an earlier quickstart: what it finished is kept. --force starts over.`);
  io.log(
    "genrec learns from purchase histories which item a customer buys next. Six stages, all in " + out + ":",
  );

  const stages: PipelineStage[] = [
    { title: "Data: a made-up shop", run: (stage) => describeData(dataset, stage) },
    {
      title: "Semantic IDs: each item becomes three tokens, similar items share the first ones",
      run: (stage) => sids(flags, stage),
    },
    {
      title: "Training: a small language model learns to write the next item's tokens",
      run: (stage) => train(flags, stage),
    },
    {
      title: "Reinforcement: its own answers are rewarded where they name the item bought next",
      run: (stage) => reinforce(flags, stage),
    },
    {
      title: "Evaluation: later purchases that the model has never seen, before and after reinforcement",
      run: (stage) => test(flags, stage),
    },
    { title: "Recommendations: three of those customers", run: (stage) => show(flags, dataset, stage) },
  ];
  if (!await runStages(stages, io)) return;
  const reports = { before: await readReport(out, "sft"), after: await readReport(out, "rl") };
  if (io.json) console.log(JSON.stringify(reports, null, 2));
  summary(reports, dataset, out, (performance.now() - started) / 1000).forEach((line) => io.log(line));
}

/** Whether the folder is new. */
function claim({ out, steps, seed, limit, force }: Flags): Promise<boolean> {
  return claimFolder({
    out,
    task: "quickstart",
    settings: { genrec: manifest.version, steps, seed, limit },
    parts: ["eval", "sft", "rl", "sids", "sft.yaml", "rl.yaml", "sft.done", "rl.done"],
    force,
  });
}

function describeData({ items, samples, histories }: Dataset, io: TaskIO): Promise<void> {
  const { train, valid, test } = samples;
  io.log(
    `${items.length} items, ${histories.length} customers, purchases in time order: ${train.length} to train on, ` +
      `${valid.length} to validate, ${test.length} to test`,
  );
  io.log(`By hand: any task with --data ${DATA}, or with a folder of your own`);
  return Promise.resolve();
}

async function sids({ out, seed, adapter, variant }: Flags, io: TaskIO): Promise<void> {
  const folder = join(out, "sids");
  byHand(io, `sid --data ${DATA} --codebook-size ${SHOP_CODEBOOK} --seed ${seed} --out ${folder}`);
  if (existsSync(join(folder, "index.json"))) return io.log(`Already in ${folder}`);
  await makeSids(
    sidTask.config.parse({
      data: DATA,
      codebookSize: SHOP_CODEBOOK,
      seed,
      out: folder,
      adapter,
      variant,
    }) as Sid,
    io,
  );
}

async function train({ out, steps, seed, adapter, variant }: Flags, io: TaskIO): Promise<void> {
  const folder = join(out, "sft");
  const settings = {
    data: DATA,
    sids: join(out, "sids"),
    out: folder,
    ...SHOP_TRAINING,
    maxSteps: steps,
    seed,
  };
  await trainingStage(
    "sft",
    folder,
    settings,
    io,
    (resume) => sft(sftTask.config.parse({ ...settings, resume, adapter, variant }) as Sft, io),
  );
}

async function reinforce({ out, steps, seed, adapter, variant }: Flags, io: TaskIO): Promise<void> {
  const folder = join(out, "rl");
  const maxSteps = steps > 0 ? Math.ceil(steps / 10) : REINFORCEMENT.maxSteps;
  const settings = { run: join(out, "sft"), out: folder, ...REINFORCEMENT, maxSteps, seed };
  await trainingStage(
    "rl",
    folder,
    settings,
    io,
    (resume) => rl(rlTask.config.parse({ ...settings, resume, adapter, variant }) as Rl, io),
  );
}

async function test({ out, limit, adapter, variant }: Flags, io: TaskIO): Promise<void> {
  for (const name of ["sft", "rl"] as const) {
    // Counts are the same before and after.
    const more = name === "rl" ? { baselines: true, mixture: MIXTURE } : {};
    const flags = { run: join(out, name), data: DATA, out: join(out, "eval", name), limit, ...more };
    const extra = name === "rl" ? ` --baselines --mixture ${MIXTURE}` : "";
    byHand(io, `evaluate --run ${flags.run} --data ${DATA}${extra} --out ${flags.out}`);
    if (existsSync(metricsPath(out, name))) io.log(`Already in ${flags.out}`);
    // Goes on where one was stopped, starts where there is none.
    else {
      const config = evaluateTask.config.parse({ ...flags, resume: true, adapter, variant });
      await evaluate(config as Evaluate, io);
    }
    if (io.signal.aborted) return;
  }
}

async function show({ out }: Flags, { items }: Dataset, io: TaskIO): Promise<void> {
  const lines = (await readText(join(out, "eval", "rl", "predictions.jsonl"))).trimEnd().split("\n");
  const title = (item: number) => items[item].title;
  // Fixed places, so that nobody picks the ones that look good.
  const chosen: Prediction[] = [];
  for (const quarter of [1, 2, 3]) {
    const later = lines.slice(Math.floor(quarter * lines.length / 4)).values().map((line): Prediction =>
      JSON.parse(line)
    );
    const next = later.find(({ user }) => chosen.every((other) => other.user !== user));
    if (next) chosen.push(next);
  }
  for (const { user, history, target, items: predicted } of chosen) {
    const place = predicted.indexOf(target) + 1;
    io.log(`${user} bought ${history.slice(-3).map(title).join(" > ")}`);
    predicted.slice(0, 5).forEach((item, i) =>
      io.log(`  ${i + 1}. ${title(item)}${item === target ? "  <- bought next" : ""}`)
    );
    if (place === 0 || place > 5) {
      io.log(
        `  bought next: ${title(target)}, ${place === 0 ? "not in the list" : `place ${place} of the list`}`,
      );
    }
  }
  byHand(io, `recommend --run ${join(out, "rl")} --data ${DATA} --history ${chosen[0].history.join(",")}`);
}

function summary(
  { before, after }: { before: EvaluateReport; after: EvaluateReport },
  { items }: Dataset,
  out: string,
  seconds: number,
): string[] {
  const { users, baselines, mixture } = after;
  const row = (name: string, { hr, ndcg }: Evaluation) => [name, hr[10].toFixed(4), ndcg[10].toFixed(4)];
  const table = tableLines([
    ["", "HR@10", "NDCG@10"],
    row("the model, before reinforcement", before),
    row("the model, after reinforcement", after),
    row("the model and counts of what followed what together", mixture!),
    row("these counts alone", baselines!["transitions"]),
    row("what the customer bought before", baselines!["repeat recent"]),
    row("bestsellers", baselines!["popularity"]),
  ]);
  return [
    `Done in ${
      duration(seconds)
    }. HR@10 is how often the item bought next is among the first 10 of ${items.length}, ` +
    `NDCG@10 counts early places more; ${users} cases:`,
    ...table.map((line) => `    ${line}`),
    "Next:",
    `    ./genrec recommend --run ${join(out, "rl")} --history 12,45,77     any history you like`,
    "    ./genrec sft --help, ./genrec rl --help                        all settings of the training",
    "    docs/data.md                                                   the files to bring",
  ];
}

async function readReport(out: string, name: "sft" | "rl"): Promise<EvaluateReport> {
  return JSON.parse(await readText(metricsPath(out, name)));
}

function metricsPath(out: string, name: "sft" | "rl"): string {
  return join(out, "eval", name, "metrics.json");
}

type Sid = Parameters<typeof makeSids>[0];
type Sft = Parameters<typeof sft>[0];
type Rl = Parameters<typeof rl>[0];
type Evaluate = Parameters<typeof evaluate>[0];
