import { join } from "node:path";
import { z } from "zod";
import { writeNpy } from "../base/npy.ts";
import { UserError } from "../base/user_error.ts";
import { withoutSamples } from "../data/corpus_dataset.ts";
import type { CorpusSizes } from "../data/cost/sizes.ts";
import { findFormat, loadDataset, openStream } from "../data/formats/load.ts";
import { holdOut } from "../data/holdout.ts";
import { BASELINES } from "../train/baselines/by_name.ts";
import { DivergenceError } from "../train/run/divergence.ts";
import { VERSION } from "../train/version.generated.ts";
import { runManifest } from "../train/run/inputs.ts";
import { RunDirectory } from "../train/run/directory.ts";
import { openRun } from "../train/runs/open_run.ts";
import { reportFields } from "../train/run/fields.ts";
import { observersOf } from "./_train/observers.ts";
import type { Task, TaskIO } from "./_cli/cli.ts";
import { RunOutput, TrainingData } from "./_cli/run_flags.ts";
import { agreeOn } from "./_train/together.ts";
import { withProgress } from "./_cli/progress.ts";
import { EpochProgress } from "./_cli/epoch_progress.ts";
import { memoryLimitFlag, tellPlanned } from "./_data/planned_memory.ts";
import { tellRehearsed } from "./_cli/memory.ts";
import { DeviceFlags, openDevice } from "./_cli/open_device.ts";
import { checkSame } from "./_cli/resume.ts";
import { settingsDefaults, settingsFlags, settingsOf } from "./_cli/settings_flags.ts";
import { goOnLine } from "./_cli/training_lines.ts";
import { type EvaluateFlags, evaluateRecommender } from "./_evaluate/rank_users.ts";
import type { EvaluateReport } from "./_evaluate/report_lines.ts";
import { discardRows } from "./_evaluate/row_file.ts";
import { task as evaluateTask } from "./evaluate.ts";

const config = z.strictObject({
  model: z.enum(BASELINES.map(({ name }) => name)).describe("what is trained:"),
  ...TrainingData,
  ...RunOutput,
  evaluate: z.enum(["none", "valid", "test"]).default("none").describe(
    "split to rank with the best checkpoint at the end: OUT/eval-SPLIT/metrics.json and predictions.jsonl;",
  ),
  beams: z.int().min(1).default(50).describe("items of a list of --evaluate; beams of models that search"),
  ...memoryLimitFlag("counts"),
  ...reportFields,
  ...DeviceFlags,
  ...settingsFlags(BASELINES, "model"),
});

export const task: Task<typeof config> = {
  name: "baseline",
  summary: "train a recommender to compare with",
  examples: [
    "baseline --model sasrec --data synthetic --out runs/sasrec",
    "baseline --model transitions --data synthetic --evaluate test --out runs/transitions",
    "baseline --model sasrec --loss bce --data data/mine --evaluate test --out runs/sasrec-bce",
    "baseline --config runs/sasrec/config.json --out runs/sasrec --resume",
  ],
  config,
  async run(flags, io) {
    const report = await baseline(flags, io);
    if (io.json && report) console.log(JSON.stringify(report, null, 2));
  },
};

/** Trains as the flags say, and evaluates where they ask for it. */
export async function baseline(
  flags: z.output<typeof config>,
  io: TaskIO,
): Promise<EvaluateReport | undefined> {
  const {
    model,
    data,
    holdoutRows,
    out,
    resume,
    evaluate,
    beams,
    memoryLimit,
    reportTo,
    wandbProject,
    adapter,
    variant,
  } = flags;
  const method = BASELINES.find(({ name }) => name === model)!;
  const settings = settingsOf(method, BASELINES, flags, "model") as Record<string, unknown>;
  const run = new RunDirectory(out);
  const { world } = io;
  if (world.size > 1 && !method.worksTogether) {
    const names = BASELINES.filter(({ worksTogether }) => worksTogether).map(({ name }) => name);
    throw new UserError(
      `Cannot train ${model} in ${world.size} processes: of the baselines, ${
        names.join(", ")
      } work in several. Start one`,
    );
  }
  if (world.rank === 0) await run.check(resume); // the others may find what it has made by then
  // Without an evaluation, which asks what was trained on, nothing but the counting reads the train split.
  const inParts = method.bytesInParts !== undefined && holdoutRows === 0 && evaluate === "none";
  const format = inParts ? await findFormat(data) : undefined;
  if (format) {
    const remedy = "neighbours" in settings ? "use fewer --neighbours" : undefined;
    const bytesOf = (sizes: CorpusSizes) => method.bytesInParts!(sizes, settings);
    await tellPlanned({ work: "count", data, format, bytesOf, limit: memoryLimit, remedy }, io);
  } else if (memoryLimit > 0) {
    throw new UserError(
      `Cannot use --memory-limit here: it is of counts, such as transitions, without --evaluate and --holdout-rows. ` +
        "Leave it out",
    );
  }
  using stream = format ? await openStream(format, data) : undefined;
  const dataset = stream ? await withoutSamples(stream) : holdOut(await loadDataset(data), holdoutRows);
  if (evaluate !== "none" && dataset.samples[evaluate].length === 0) {
    throw new UserError(`Cannot evaluate on ${data}: its ${evaluate} split is empty. Leave out --evaluate`);
  }
  const { device } = await openDevice({ adapter, variant }, {}, io);
  const seed = typeof settings.seed === "number" ? settings.seed : 0;
  const manifest = await runManifest(device, dataset.name, dataset.files, { task: "baseline", seed });
  if (resume) {
    const defaults = { holdoutRows: 0, ...settingsDefaults(method.Config) };
    await checkSame(run, { model, holdoutRows, ...settings }, {}, dataset.files, manifest, defaults);
  }
  const told = { model, data: { holdoutRows }, ...settings };
  await agreeOn(world, { manifest, settings: told });
  const goOn = goOnLine("baseline", out);

  const resolved = { model, data, holdoutRows, reportTo, wandbProject, adapter, variant, ...settings };
  await tellRehearsed(
    device,
    (rehearsal, stop) => {
      const unwritten = new RunDirectory(out, { onWrite: stop });
      const { signal } = io;
      return method.train(
        { device: rehearsal, dataset, run: unwritten, resume: false, signal, rehearsed: stop },
        settings,
      );
    },
    "the training, its validations and checkpoints",
    io,
  );
  const progress = new EpochProgress(
    { device, run, resume, manifest, dataset, config: resolved, name: model },
    io,
  );
  const { onStart, onStep, onEpoch } = progress;
  const result = await method.train({
    device,
    dataset,
    ...stream && {
      parts: (split, before) => withProgress(stream, io.progress).samples(split, before),
      ...stream.tableFiles &&
        {
          goOn: {
            files: stream.tableFiles,
            of: {
              "version of genrec": VERSION,
              "model and settings": JSON.stringify({ model, ...settings }),
            },
            log: io.log,
          },
        },
    },
    run,
    resume,
    signal: io.signal,
    world,
    openObserver: observersOf(out, resolved, io),
    onStart,
    onStep,
    onEpoch,
  }, settings).catch(async (error) => {
    if (!(error instanceof DivergenceError) && await run.hasCheckpoint()) io.log(goOn);
    throw error;
  }).finally(() => progress.stop());

  if (result.stopped === "interrupted") {
    io.log(`Stopped, ${out} is saved up to its last whole epoch. ${goOn}`);
    return undefined;
  }
  progress.ended(result);
  if (world.rank > 0 || inParts) return undefined;
  const recommender = await openRun(out, { dataset, data, device });
  try {
    const vectors = await recommender.embeddings();
    if (vectors) {
      const shape = [dataset.items.length, vectors.dim];
      await run.write("embeddings.npy", writeNpy(shape, vectors.data));
      io.log(`Wrote ${join(out, "embeddings.npy")} (${shape.join(", ")})`);
    }
    if (evaluate === "none") return undefined;
    const folder = join(out, `eval-${evaluate}`);
    // A run that goes on may have another best checkpoint than its last evaluation, whose rows end here.
    await discardRows(folder);
    const given = evaluateTask.config.parse({ run: out, data, split: evaluate, beams, out: folder });
    return await evaluateRecommender(recommender, given as EvaluateFlags, io);
  } finally {
    recommender.destroy();
  }
}
