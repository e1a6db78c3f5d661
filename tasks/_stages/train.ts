import { join } from "node:path";
import { z } from "zod";
import manifest from "../../deno.json" with { type: "json" };
import { readText } from "../../base/files/text_file.ts";
import { UserError } from "../../base/user_error.ts";
import type { Dataset } from "../../data/dataset.ts";
import { adapterName } from "../../kernels/gpu/adapters.ts";
import { loadDataset } from "../../data/formats/load.ts";
import { mostHeldOut } from "../../data/holdout.ts";
import type { Evaluation } from "../../eval/evaluate.ts";
import { dataSizeOf, type Preset, presetFor, quickly, sidPresetFor } from "../../train/pipeline/preset.ts";
import { collidingGroups } from "../../sid/collisions/groups.ts";
import { RANK_FOLDER, TAUGHT_FOLDER } from "../../train/pipeline/train_folder.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import { SftSchema } from "../../train/sft/config.ts";
import type { Task, TaskIO } from "../_cli/cli.ts";
import { figure, range } from "../_cli/format.ts";
import { DeviceFlags, openDevice } from "../_cli/open_device.ts";
import { duration } from "../_cli/progress.ts";
import { tableLines } from "../_cli/table.ts";
import type { EvaluateReport } from "../_evaluate/report_lines.ts";
import { productRate, TRAINING_SHARE } from "../_train/sft_cost.ts";
import { claimFolder } from "./claim.ts";
import { pipelineCost } from "./cost.ts";
import { evaluationFolder, needsSids, PARTS, pipelineStages, sidSources } from "./pipeline.ts";
import { runStages } from "./stages.ts";

/** Models over item numbers. */
const ITEM_MODELS = ["gru4rec", "sasrec", "hstu", "caser"] as const;
/** Items of a list of the evaluation. */
const LISTED = 50;
/** Fewest train targets: an eighth of them teaches the ranker. */
const LEAST_TARGETS = 400;

const config = z.strictObject({
  data: z.string().describe("dataset directory, ours or foreign, or `synthetic`"),
  out: z.string().describe("folder to write; it opens as a run"),
  sids: z.string().default("").describe(
    "index.json of other SIDs; `make`: make them even where the dataset has some and no texts",
  ),
  items: z.enum(ITEM_MODELS).default("gru4rec").describe(
    "model over item numbers that the decoder is joined with;",
  ),
  teach: z.boolean().default(false).describe(
    "teach the order of the ranker to the decoder at the end: RUN/taught answers without the ranker, as fast as a decoder",
  ),
  seed: z.int().min(0).default(42).describe("seed of everything random"),
  quick: z.boolean().default(false).describe(
    "one epoch of everything: shows that it runs, not how good it gets",
  ),
  dryRun: z.boolean().default(false).describe("say what is chosen and what it takes, and train nothing"),
  force: z.boolean().default(false).describe("delete what an earlier training left in --out"),
  ...DeviceFlags,
});
type Flags = z.output<typeof config>;

export const task: Task<typeof config> = {
  name: "train",
  summary: "from a dataset to a ranked recommender, settings by its size",
  examples: [
    "train --data data/mine --out runs/mine",
    "train --data data/mine --out runs/mine --dry-run",
    "recommend --run runs/mine --history 12,45,77",
  ],
  config,
  run: train,
};

async function train(flags: Flags, io: TaskIO): Promise<void> {
  const started = performance.now();
  const { data, out, dryRun } = flags;
  const before = Deno.memoryUsage().rss;
  const dataset = await loadDataset(data);
  const reading = Math.max(0, Deno.memoryUsage().rss - before);
  checkSplits(dataset, data);
  if (needsSids({ ...flags, dataset }) && sidSources(dataset).length === 0) {
    throw new UserError(
      `Cannot make semantic IDs of ${data}: its items have no texts that share a word, and no history has two different ` +
        "items. Name an index with --sids",
    );
  }
  const preset = flags.quick ? quickly(presetFor(dataSizeOf(dataset))) : presetFor(dataSizeOf(dataset));
  const fresh = dryRun || await claim(flags);
  if (!fresh) io.log(`${out} holds an earlier training: what it finished is kept. --force starts over.`);
  describe(flags, dataset, preset, io);
  if (!needsSids({ ...flags, dataset })) describeShared(flags, dataset, io);
  if (fresh) await describeCost(flags, { dataset, preset, reading }, io);
  if (dryRun) return;
  const pipeline = { ...flags, dataset, preset, beams: LISTED };
  if (!await runStages(pipelineStages(pipeline), task, io)) return;
  const report = await reportOf(out, RANK_FOLDER);
  const taught = flags.teach ? await reportOf(out, TAUGHT_FOLDER) : undefined;
  if (io.json) console.log(JSON.stringify(taught ? { ...report, taught } : report, null, 2));
  summary(report, taught, out, (performance.now() - started) / 1000).forEach((line) => io.log(line));
}

async function reportOf(out: string, stage: string): Promise<EvaluateReport> {
  return JSON.parse(await readText(join(out, evaluationFolder(stage), "metrics.json")));
}

/** Throws {@link UserError} for splits that a pipeline cannot do without. */
function checkSplits(dataset: Dataset, data: string): void {
  const { samples } = dataset;
  for (const split of ["valid", "test"] as const) {
    if (samples[split].length > 0) continue;
    throw new UserError(
      `Cannot train on ${data}: its ${split} split is empty. valid chooses checkpoints, test tells what is reached: ` +
        "split the data again with `genrec data`, or train the parts by hand with `genrec sft`",
    );
  }
  if (samples.train.length >= LEAST_TARGETS) {
    const holdable = mostHeldOut(dataset), least = LEAST_TARGETS / 8;
    if (holdable >= least) return;
    throw new UserError(
      `Cannot train on ${data}: ${holdable} of its ${samples.train.length} train targets come after another of their user, ` +
        `expected ${least} or more, since such teach the ranker. Use data with longer histories or with times, or train the ` +
        "parts by hand with `genrec sft`",
    );
  }
  throw new UserError(
    `Cannot train on ${data}: it has ${samples.train.length} train targets, expected ${LEAST_TARGETS} or more, since the ` +
      "last eighth teaches the ranker. With so few, use `genrec baseline --model transitions`",
  );
}

/** Whether the folder is new. */
function claim({ data, out, sids, items, seed, quick, force }: Flags): Promise<boolean> {
  return claimFolder({
    out,
    task: "train",
    settings: { genrec: manifest.version, data, sids, items, seed, quick },
    parts: PARTS,
    force,
  });
}

/** Says what was found and what is chosen for it. */
function describe(
  flags: Flags,
  dataset: Dataset,
  { decoder, items }: Preset,
  io: TaskIO,
): void {
  const { train, valid, test } = dataset.samples;
  const { hiddenSize, numHiddenLayers, numTrainEpochs, dropout, learningRate } = SftSchema.parse(decoder);
  io.log(
    `${dataset.items.length} items; ${train.length} targets to train on, ${valid.length} to validate, ` +
      `${test.length} to test`,
  );
  io.log(
    `For this size: a decoder of width ${hiddenSize} and ${numHiddenLayers} layers, ${numTrainEpochs} epochs at ` +
      `${learningRate} with dropout ${dropout}; ${flags.items} for ${items.numTrainEpochs} epochs` +
      (needsSids({ ...flags, dataset })
        ? `; SIDs of 3 levels with ${sidPresetFor(dataset.items.length).codebookSize} codewords`
        : ""),
  );
}

/** Says where items share SIDs of the index that is kept: no search tells such items apart. */
function describeShared({ sids }: Flags, dataset: Dataset, io: TaskIO): void {
  if (sids !== "" || dataset.sids === undefined) return;
  const shared = collidingGroups(dataset.sids).flat().length;
  if (shared === 0) return;
  io.log(
    `${shared} of ${dataset.items.length} items share their SIDs in the index of the dataset, so a decoder cannot tell ` +
      "them apart: --sids make makes a SID for each",
  );
}

async function describeCost(
  flags: Flags,
  { dataset, preset, reading }: { dataset: Dataset; preset: Preset; reading: number },
  io: TaskIO,
): Promise<void> {
  const { device } = await openDevice(flags);
  const settings = SftSchema.parse(preset.decoder);
  const makesSids = needsSids({ ...flags, dataset });
  const { flops, bytes } = await pipelineCost(device, dataset, {
    preset,
    makesSids,
    items: flags.items,
    settings,
    beams: LISTED,
    teach: flags.teach,
    reading,
  });
  const seconds = flops / (TRAINING_SHARE * await productRate(device));
  io.log(
    `Takes about ${duration(seconds)} on ${adapterName(device.info)} where nothing else runs, ` +
      `${makesSids ? "semantic IDs not counted, " : ""}and ${formatBytes(bytes)}`,
  );
}

function summary(
  report: EvaluateReport,
  taught: EvaluateReport | undefined,
  out: string,
  seconds: number,
): string[] {
  const row = (name: string, { hr, ndcg, ci95 }: Evaluation) => [
    name,
    ...[hr[5], ndcg[5], hr[10], ndcg[10]].map(figure),
    range(ci95.ndcg[10]),
  ];
  const table = tableLines([
    [`test, ${report.users} users`, "HR@5", "NDCG@5", "HR@10", "NDCG@10", "95 % of NDCG@10"],
    row("this recommender", report),
    ...taught ? [row("the decoder, taught by it", taught)] : [],
    ...Object.entries(report.baselines ?? {}).map(([name, figures]) => row(name, figures)),
  ]);
  return [
    `Done in ${duration(seconds)}:`,
    ...table.map((line) => `    ${line}`),
    "Next:",
    `    ./genrec recommend --run ${out} --history 12,45,77     any history you like`,
    ...taught ? [`    ./genrec serve --run ${join(out, TAUGHT_FOLDER)}     answers without the ranker`] : [],
    `    ./genrec compare --evals ${join(out, "eval-test")},…     beside other runs`,
  ];
}
