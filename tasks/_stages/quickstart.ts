import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import manifest from "../../deno.json" with { type: "json" };
import type { Dataset } from "../../data/dataset.ts";
import { loadDataset } from "../../data/formats/load.ts";
import { readText } from "../../base/files/text_file.ts";
import type { Evaluation, Prediction } from "../../eval/evaluate.ts";
import { type Preset, quickly } from "../../train/pipeline/preset.ts";
import { SHOP_CODEBOOK, SHOP_TRAINING } from "../../train/pipeline/shop.ts";
import { RANK_FOLDER } from "../../train/pipeline/train_folder.ts";
import type { Task, TaskIO } from "../_cli/cli.ts";
import type { EvaluateReport } from "../_evaluate/report_lines.ts";
import { DeviceFlags } from "../_cli/open_device.ts";
import { evaluate, task as evaluateTask } from "../evaluate.ts";
import { duration } from "../_cli/progress.ts";
import { rl, task as rlTask } from "../rl.ts";
import { makeSids } from "../_sid/make.ts";
import { task as sidTask } from "../sid.ts";
import { tableLines } from "../_cli/table.ts";
import { claimFolder } from "./claim.ts";
import {
  decoderStage,
  foldFolders,
  itemsStage,
  PARTS,
  type Pipeline,
  rankerStage,
  stageFiles,
} from "./pipeline.ts";
import { byHand, type PipelineStage, runStages, type StageIO, trainingStage } from "./stages.ts";

const DATA = "synthetic";

/** Chosen on the valid split, as {@link SHOP_TRAINING}, of which fewer passes do where a ranker follows. */
const PRESET: Preset = {
  holdoutRows: 800,
  folds: 1,
  decoder: { ...SHOP_TRAINING, numTrainEpochs: 9 },
  items: {},
  ranker: { countCandidates: 20, numTrainEpochs: 12, batchSize: 32, evalSamples: 800 },
  taught: {},
};
/** SIDs that the decoder searches at a time, and items of every list. */
const LISTED = 20;
/** Chosen on the valid split too. */
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
/** Valid samples that choose between steps where --steps asks for a short look. */
const FEW_SAMPLES = 100;

const config = z.strictObject({
  out: z.string().default("runs/quickstart").describe("folder to write"),
  steps: z.int().min(0).default(0).describe(
    `training steps, with a tenth as many of reinforcement and an epoch of all else; 0: as ` +
      `${PRESET.decoder.numTrainEpochs} passes over the data take, and ${REINFORCEMENT.maxSteps}`,
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
    "genrec learns from purchase histories which item a customer buys next. Seven stages, all in " + out +
      ":",
  );

  const pipeline = pipelineOf(flags, dataset);
  const stages: PipelineStage[] = [
    { title: "Data: a made-up shop", run: (stage) => describeData(dataset, stage) },
    {
      title: "Semantic IDs: each item becomes three tokens, similar items share the first ones",
      run: (stage) => sids(flags, stage),
    },
    {
      title: "Training: a small language model learns to write the next item's tokens",
      run: (stage) => decoderStage(pipeline, "decoder", 0, stage),
    },
    {
      title: "Reinforcement: its own answers are rewarded where they name the item bought next",
      run: (stage) => reinforce(flags, stage),
    },
    {
      title: "Ranking: a small network orders what the model, one over item numbers and counts propose",
      run: (stage) => ranker(pipeline, stage),
    },
    {
      title: "Evaluation: later purchases that nothing here has seen",
      run: (stage) => test(flags, stage),
    },
    { title: "Recommendations: three of those customers", run: (stage) => show(flags, dataset, stage) },
  ];
  if (!await runStages(stages, task, io)) return;
  const reports = {
    before: await readReport(out, "decoder"),
    after: await readReport(out, "rl"),
    ranked: await readReport(out, RANK_FOLDER),
  };
  if (io.json) console.log(JSON.stringify(reports, null, 2));
  summary(reports, dataset, out, (performance.now() - started) / 1000).forEach((line) => io.log(line));
}

/** Whether the folder is new. */
function claim({ out, steps, seed, limit, force }: Flags): Promise<boolean> {
  return claimFolder({
    out,
    task: "quickstart",
    settings: { genrec: manifest.version, steps, seed, limit },
    parts: [...PARTS, ...stageFiles("rl", "eval")],
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

async function sids({ out, steps, seed, adapter, variant }: Flags, io: TaskIO): Promise<void> {
  const folder = join(out, "sids");
  const few = steps > 0 ? { starts: 1 } : {};
  const once = steps > 0 ? "--starts 1 " : "";
  byHand(io, `sid --data ${DATA} --codebook-size ${SHOP_CODEBOOK} ${once}--seed ${seed} --out ${folder}`);
  if (existsSync(join(folder, "index.json"))) return io.log(`Already in ${folder}`);
  await makeSids(
    sidTask.config.parse({
      data: DATA,
      codebookSize: SHOP_CODEBOOK,
      ...few,
      seed,
      out: folder,
      adapter,
      variant,
    }) as Sid,
    io,
  );
}

/** What its stages share with those of `genrec train`. */
function pipelineOf(flags: Flags, dataset: Dataset): Pipeline {
  const { out, steps, seed, adapter, variant } = flags;
  const preset = steps === 0 ? PRESET : {
    ...quickly(PRESET),
    holdoutRows: 100,
    decoder: { ...PRESET.decoder, maxSteps: steps, evalSamples: FEW_SAMPLES },
    ranker: { ...quickly(PRESET).ranker, evalSamples: FEW_SAMPLES },
  };
  return {
    data: DATA,
    out,
    sids: join(out, "sids"),
    items: "gru4rec",
    seed,
    adapter,
    variant,
    dataset,
    preset,
    teach: false,
    beams: LISTED,
  };
}

async function ranker(pipeline: Pipeline, io: StageIO): Promise<void> {
  const folds = foldFolders(pipeline.preset);
  for (const { folder, rows } of [...folds, { folder: "", rows: 0 }]) {
    await itemsStage(pipeline, join(folder, "items"), rows, io);
    if (io.signal.aborted) return;
    if (rows > 0) await decoderStage(pipeline, join(folder, "decoder"), rows, io);
    if (io.signal.aborted) return;
  }
  await rankerStage(pipeline, io);
}

async function reinforce({ out, steps, seed, adapter, variant }: Flags, io: StageIO): Promise<void> {
  const folder = join(out, "rl");
  const few = steps > 0 ? { maxSteps: Math.ceil(steps / 10), evalSamples: FEW_SAMPLES } : {};
  const settings = { run: join(out, "decoder"), out: folder, ...REINFORCEMENT, ...few, seed };
  await trainingStage(
    rlTask,
    folder,
    settings,
    io,
    (config, io, resume) => rl({ ...config, resume, adapter, variant } as Rl, io),
  );
}

async function test({ out, limit, adapter, variant }: Flags, io: TaskIO): Promise<void> {
  for (const name of ["decoder", "rl", RANK_FOLDER] as const) {
    // Counts are the same beside all of them.
    const baselines = name === RANK_FOLDER;
    const flags = {
      run: join(out, name),
      data: DATA,
      out: join(out, "eval", name),
      beams: LISTED,
      limit,
      baselines,
    };
    const extra = baselines ? " --baselines" : "";
    byHand(io, `evaluate --run ${flags.run} --data ${DATA} --beams ${LISTED}${extra} --out ${flags.out}`);
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
  const lines = (await readText(join(out, "eval", RANK_FOLDER, "predictions.jsonl"))).trimEnd().split("\n");
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
  byHand(
    io,
    `recommend --run ${join(out, RANK_FOLDER)} --data ${DATA} --history ${chosen[0].history.join(",")}`,
  );
}

function summary(
  { before, after, ranked }: Record<"before" | "after" | "ranked", EvaluateReport>,
  { items }: Dataset,
  out: string,
  seconds: number,
): string[] {
  const { users, baselines } = ranked;
  const row = (name: string, { hr, ndcg }: Evaluation) => [name, hr[10].toFixed(4), ndcg[10].toFixed(4)];
  const table = tableLines([
    ["", "HR@10", "NDCG@10"],
    row("all of it, ranked", ranked),
    row("the language model alone", before),
    row("the language model, reinforced", after),
    row("counts of what followed what", baselines!["transitions"]),
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
    `    ./genrec recommend --run ${join(out, RANK_FOLDER)} --history 12,45,77     any history you like`,
    "    ./genrec train --data DIR --out RUN                            the same for data of your own",
    "    ./genrec sft --help, ./genrec rl --help                        all settings of the training",
    "    docs/data.md                                                   the files to bring",
  ];
}

async function readReport(out: string, name: Evaluated): Promise<EvaluateReport> {
  return JSON.parse(await readText(metricsPath(out, name)));
}

function metricsPath(out: string, name: Evaluated): string {
  return join(out, "eval", name, "metrics.json");
}

/** What is evaluated: folders of the runs, and of their evaluations. */
type Evaluated = "decoder" | "rl" | typeof RANK_FOLDER;

type Sid = Parameters<typeof makeSids>[0];
type Rl = Parameters<typeof rl>[0];
type Evaluate = Parameters<typeof evaluate>[0];
