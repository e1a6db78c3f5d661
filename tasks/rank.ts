import { join } from "node:path";
import { z } from "zod";
import { branchOf } from "../base/parallel/tree_sum.ts";
import { leavingNothing } from "../base/files/write_atomic.ts";
import { shuffledOrder } from "../base/shuffle.ts";
import { UserError } from "../base/user_error.ts";
import type { Dataset, Sample } from "../data/dataset.ts";
import { loadDataset } from "../data/formats/load.ts";
import type { Device } from "../kernels/gpu/device.ts";
import { itemTerms } from "../rank/features/sources.ts";
import type { CollectOptions, TargetLists } from "../rank/lists/lists.ts";
import { checkTrainedOn, checkWhole, type RankedRun } from "../train/rank/check_runs.ts";
import { type RankConfig, RankSchema } from "../train/rank/config.ts";
import { copyRun } from "../train/rank/copy_run.ts";
import { foldsOf } from "../train/rank/folds.ts";
import {
  foldLists,
  freeRuns,
  listSizes,
  listsOf,
  type RankedSplit,
  rankedSplit,
} from "../train/rank/lists.ts";
import { type AskedRuns, rehearseRanking } from "../train/rank/rehearsal.ts";
import { FEATURES_FILE, savedFiles, SOURCES_FOLDER } from "../train/rank/saved.ts";
import { trainRanker } from "../train/rank/training.ts";
import { DivergenceError } from "../train/run/divergence.ts";
import { RunDirectory } from "../train/run/directory.ts";
import { reportFields } from "../train/run/fields.ts";
import { type RunManifest, runManifest } from "../train/run/inputs.ts";
import { openRun } from "../train/runs/open_run.ts";
import { type Task, type TaskIO, UsageError } from "./_cli/cli.ts";
import { EpochProgress } from "./_cli/epoch_progress.ts";
import { heapGrowth, KEPT_BY_SEARCHES, MemoryFlags, openLimited, tellRehearsed } from "./_cli/memory.ts";
import { DeviceFlags } from "./_cli/open_device.ts";
import { checkSame } from "./_cli/resume.ts";
import { RunOutput } from "./_cli/run_flags.ts";
import { settingsDefaults } from "./_cli/settings_flags.ts";
import { evaluateLine, goOnLine } from "./_cli/training_lines.ts";
import { observersOf } from "./_train/observers.ts";
import { agreeOn } from "./_train/together.ts";

/** What a ranker learns from. */
const TRAIN_ON = ["holdout", "valid"] as const;

const config = z.strictObject({
  data: z.string().describe("dataset directory, ours or foreign, or `synthetic`"),
  runs: z.array(z.string()).min(1).describe("runs whose lists are ranked, trained on the whole train split"),
  foldRuns: z.array(z.string()).default([]).describe(
    "the same models trained with --holdout-rows, in the order of --runs: the ranker learns from the rows that they left " +
      "out. Those of a second fold, which left out more, follow those of the first",
  ),
  trainOn: z.enum(TRAIN_ON).default("holdout").describe(
    "rows that the ranker learns from: the train targets that --fold-runs left out, with valid to choose the best epoch; or " +
      "valid, with --runs alone and the last epoch kept",
  ),
  ...RunOutput,
  ...MemoryFlags,
  ...reportFields,
  ...DeviceFlags,
  ...RankSchema.shape,
});

export const task: Task<typeof config> = {
  name: "rank",
  summary: "learn to order the candidates of trained runs",
  examples: [
    "rank --data data/mine --runs runs/a,runs/sasrec --fold-runs runs/a-fold,runs/sasrec-fold --out runs/rank",
    "rank --data data/mine --runs runs/a --fold-runs runs/a-fold,runs/a-fold-2 --out runs/rank",
    "rank --data data/mine --runs runs/a,runs/sasrec --train-on valid --out runs/rank-valid",
    "rank --config runs/rank/config.json --out runs/rank --resume",
  ],
  config,
  async run(flags, io) {
    await rank(flags, io);
  },
};

type RankFlags = z.output<typeof config>;

/** Trains a ranker as the flags say. */
export async function rank(flags: RankFlags, io: TaskIO): Promise<void> {
  const { data, out, resume, trainOn, runs, foldRuns, reportTo, wandbProject, adapter, variant } = flags;
  // Keys that are not settings of the training are left out.
  const settings = z.object(RankSchema.shape).parse(flags);
  checkRuns(flags);
  const run = new RunDirectory(out);
  const { world } = io;
  if (world.rank === 0) await run.check(resume); // the others may find what it has made by then
  const dataset = await loadDataset(data);
  if (dataset.samples.valid.length === 0) {
    const use = trainOn === "valid" ? "learn from" : "choose the best epoch by";
    throw new UserError(
      `Cannot rank ${data}: its valid split is empty, there is nothing to ${use}. Use other data`,
    );
  }
  const device = await openLimited(flags, io);
  const manifest = await runManifest(device, dataset.name, dataset.files, {
    task: "rank",
    seed: settings.seed,
  });
  const opened: RankedRun[] = [];
  try {
    const whole = await openAll(runs, dataset, data, device, opened);
    const before = await openAll(foldRuns, dataset, data, device, opened);
    checkTrainedOn(opened, dataset, data, dataset.files.map((path) => manifest.inputs[path]));
    await checkWhole(whole);
    const recommenders = whole.map(({ recommender }) => recommender);
    const folds = trainOn === "holdout" ? await foldsOf(before, whole, dataset) : [];
    const choosing = folds.length > 0 ? drawn(dataset.samples.valid, settings) : dataset.samples.valid;
    const texts = itemTerms(dataset.items);
    const asks = (paths: readonly string[], samples: readonly Sample[]): AskedRuns => ({
      open: (device) => Promise.all(paths.map((run) => openRun(run, { dataset, data, device }))),
      samples,
    });
    const parts = [
      asks(runs, choosing),
      ...folds.map(({ runs, samples }) => asks(runs.map(({ provenance }) => provenance.run), samples)),
    ];
    const counted = folds.map(({ part: split, samples }) => ({ split, samples }));
    const sizes = listSizes({ split: dataset, samples: choosing }, counted, texts, recommenders, settings);
    const grown = heapGrowth(sizes.asked);
    await tellRehearsed(
      device,
      (device, stop) =>
        rehearseRanking(device, parts, sizes, settings, (inProcess = 0) => stop(inProcess + grown())),
      "lists and training",
      io,
      {
        keep: KEPT_BY_SEARCHES,
        remedy: "Use a lower --list-length, or --fold-runs with fewer --holdout-rows",
      },
    );

    const final = rankedSplit(dataset, texts, recommenders, settings);
    for (const { group, why } of final.maker.features.missing) {
      io.log(`Without the features ${group}: ${why}`);
    }
    if (runs.length === 1) {
      io.log(`Without a second run: what ${runs[0]} lists is joined with counts and the history alone`);
    }
    const valid = await told(choosing.length, "valid lists", io, (more) => listsOf(final, choosing, more));
    freeRuns(device, recommenders); // they would stay beside those of the folds
    const asked = folds.reduce((sum, { samples }) => sum + samples.length, 0);
    const learned = folds.length > 0
      ? await told(asked, "train lists", io, (more) => foldLists(folds, { device, texts, settings, ...more }))
      : valid;
    io.log(
      `Lists: ${learned.samples} to learn from, ${shareOf(learned)} with their target among the candidates`,
    );

    const { columns } = final.maker.features;
    const files = savedFiles({ counts: final.counts, columns, standardisation: learned.standardisation });
    const resolved = {
      data,
      runs,
      foldRuns,
      trainOn,
      reportTo,
      wandbProject,
      adapter,
      variant,
      ...settings,
    };
    const held = folds.at(-1)?.rows;
    const learnedFrom = held === undefined ? "valid" : `the last ${held} train targets`;
    await trainRun({
      flags,
      settings,
      resolved,
      run,
      device,
      dataset,
      manifest: { ...manifest, learnedFrom },
      files,
      learned,
      valid,
      columns,
    }, io);
  } finally {
    for (const { recommender } of opened) recommender.destroy();
  }
}

/** A ranker that is ready to be trained. */
interface RankWork {
  flags: RankFlags;
  settings: RankConfig;
  /** `config.json` of the run. */
  resolved: Record<string, unknown>;
  run: RunDirectory;
  device: Device;
  dataset: Dataset;
  manifest: RunManifest;
  /** Files of the run beside its weights. */
  files: Record<string, string | Uint8Array>;
  learned: TargetLists;
  valid: TargetLists;
  columns: RankedSplit["maker"]["features"]["columns"];
}

async function trainRun(work: RankWork, io: TaskIO): Promise<void> {
  const { flags, settings, resolved, run, device, dataset, manifest, files, learned, valid, columns } = work;
  const { data, out, resume, runs, trainOn } = flags;
  const { world } = io;
  if (resume) {
    const defaults = settingsDefaults(RankSchema);
    await checkSame(run, { trainOn, ...settings }, {}, dataset.files, manifest, defaults);
    if (await run.read(FEATURES_FILE) !== files[FEATURES_FILE]) {
      throw new UserError(
        `Cannot resume ${out}: the lists of its runs differ from those that it was started with. Put back ${
          [...runs, ...flags.foldRuns].join(", ")
        } as they were and use the same adapter, or start another run`,
      );
    }
  }
  await agreeOn(world, { manifest, texts: files, settings: { trainOn, ...settings } });
  tellIdle(settings, io);
  const goOn = goOnLine("rank", out);
  const progress = new EpochProgress(
    { device, run, resume, manifest, dataset, texts: files, config: resolved, name: "rank" },
    io,
  );
  const result = await trainRanker({
    device,
    lists: learned,
    valid: trainOn === "valid" ? undefined : valid,
    columns,
    run,
    resume,
    signal: io.signal,
    world,
    openObserver: observersOf(out, flags, io),
    async onStart(facts) {
      if (!resume && world.rank === 0) {
        // Before config.json is there: a folder with it is a run.
        const folder = join(out, SOURCES_FOLDER);
        await leavingNothing(folder, async () => {
          for (const [i, source] of runs.entries()) await copyRun(source, join(folder, String(i + 1)));
        });
      }
      await progress.onStart(facts);
    },
    onStep: progress.onStep,
    onEpoch: progress.onEpoch,
  }, settings).catch(async (error) => {
    if (!(error instanceof DivergenceError) && await run.hasCheckpoint()) io.log(goOn);
    throw error;
  }).finally(() => progress.stop());

  if (result.stopped === "interrupted") {
    io.log(`Stopped, ${out} is saved up to its last whole epoch. ${goOn}`);
    return;
  }
  progress.ended(result);
  if (trainOn === "valid") io.log("It learned from the valid split: only its test figures mean anything");
  io.log(evaluateLine(out, data));
}

/** Says so where the network is too small for its ranks; lists are dealt to all of them nonetheless. */
function tellIdle({ gradientAccumulationSteps: count }: RankConfig, { world, log }: TaskIO): void {
  const { branches } = branchOf(count, world);
  if (branches === world.size) return;
  log(
    `Note: the micro batches of a step, ${count} of all processes together, go to ${branches} of ${world.size} ` +
      `processes: --gradient-accumulation-steps ${world.size} gives each of them one`,
  );
}

function checkRuns({ trainOn, runs, foldRuns }: RankFlags): void {
  const twice = runs.find((run, i) => runs.indexOf(run) < i);
  if (twice !== undefined) throw new UsageError(`Cannot rank ${twice} twice: name each of --runs once`);
  if (trainOn === "holdout" && foldRuns.length === 0) {
    throw new UsageError(
      `Missing --fold-runs: ${config.shape.foldRuns.description}. Or use --train-on valid`,
    );
  }
  if (trainOn === "valid" && foldRuns.length > 0) {
    throw new UsageError("Cannot use --fold-runs with --train-on valid: expected one of them");
  }
}

async function openAll(
  paths: readonly string[],
  dataset: Dataset,
  data: string,
  device: Device,
  opened: RankedRun[],
): Promise<RankedRun[]> {
  const found: RankedRun[] = [];
  for (const run of paths) found.push({ run, recommender: await openRun(run, { dataset, data, device }) });
  opened.push(...found);
  return found;
}

/** The valid samples that choose the best epoch. */
function drawn(valid: readonly Sample[], { evalSamples, seed }: RankConfig): readonly Sample[] {
  if (evalSamples === 0 || evalSamples >= valid.length) return valid;
  return Array.from(shuffledOrder(valid.length, seed, 0).subarray(0, evalSamples), (i) => valid[i]);
}

/** Makes lists for as many samples, with a progress bar; ends when the user stops it. */
async function told(
  samples: number,
  label: string,
  io: TaskIO,
  make: (more: Pick<CollectOptions, "world" | "onProgress">) => Promise<TargetLists>,
): Promise<TargetLists> {
  const progress = io.progress(samples, label);
  const onProgress = (done: number) => {
    progress.update(done);
    io.signal.throwIfAborted();
  };
  return await make({ world: io.world, onProgress }).finally(() => progress.stop());
}

const shareOf = ({ targets, samples }: TargetLists) => `${(100 * targets.length / samples).toFixed(1)} %`;
