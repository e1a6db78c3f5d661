import { z } from "zod";
import { ALONE, type World } from "../base/parallel/world.ts";
import { formatIndex } from "../data/formats/index_file.ts";
import type { Dataset } from "../data/dataset.ts";
import { loadDataset } from "../data/formats/load.ts";
import { holdOut } from "../data/holdout.ts";
import { DeviceTrie } from "../decode/device_trie.ts";
import { buildTrie } from "../sid/trie.ts";
import { checkDealt } from "../train/ranks/dealt_step.ts";
import { RunDirectory } from "../train/run/directory.ts";
import { DivergenceError } from "../train/run/divergence.ts";
import { type SftConfig, SftSchema, trainedNormalisation } from "../train/sft/config.ts";
import { PackedData } from "../train/run/packed_data.ts";
import { sftDecoder } from "../train/sft/decoder.ts";
import { withMicroBatch } from "../train/sft/micro_batch.ts";
import { type SftInput, trainSft } from "../train/sft/sft.ts";
import { formatBytes } from "../train/run/estimate.ts";
import { Validation, validationSettings } from "../train/run/validation.ts";
import type { Device } from "../kernels/gpu/device.ts";
import type { ChoiceStore } from "../kernels/gpu/variants.ts";
import { autotune } from "../kernels/autotune.ts";
import type { Task, TaskIO } from "./_cli/cli.ts";
import { RunOutput, TrainingData } from "./_cli/run_flags.ts";
import { agreeOn, tuneTogether } from "./_train/together.ts";
import { short } from "./_cli/format.ts";
import { loadInputs, runManifest } from "../train/run/inputs.ts";
import { DeviceFlags, openDevice } from "./_cli/open_device.ts";
import { checkSame } from "./_cli/resume.ts";
import { checkCost } from "./_train/sft_cost.ts";
import { fromLlamaFactory } from "./_train/llama_factory.ts";
import { type SftInputs, sftInputs } from "./_train/sft_inputs.ts";
import { SftFlags, sftSettings } from "./_train/sft_settings.ts";
import { observersOf } from "./_train/observers.ts";
import { type RunRecord, startRun } from "../train/runs/start_run.ts";
import { checkHeldOut, runWeights } from "./_train/run_weights.ts";
import { StepProgress } from "./_train/step_progress.ts";
import { endedAs, evaluateLine, goOnLine, trainOnAdvice } from "./_cli/training_lines.ts";
import { duration, type Progress } from "./_cli/progress.ts";
import { collectGarbage, MemoryFlags } from "./_cli/memory.ts";
import { settingsDefaults } from "./_cli/settings_flags.ts";

const config = z.strictObject({
  ...TrainingData,
  sids: z.string().default("").describe("index.json of other SIDs than the dataset's own"),
  ...RunOutput,
  tune: z.enum(["auto", "on", "off"]).default("auto").describe(
    "time kernel variants before the first step; auto: on GPUs, where no choice is known yet",
  ),
  dryRun: z.boolean().default(false).describe("say what the run takes, and train nothing"),
  ...MemoryFlags,
  ...DeviceFlags,
  ...SftFlags.shape,
});

export const task: Task<typeof config> = {
  name: "sft",
  summary: "train a decoder, from scratch or pretrained, to write the next item",
  examples: [
    "sft --data synthetic --sids sids/ --out runs/a",
    "sft --data data/minionerec-industrial --config configs/industrial-small.yaml --out runs/industrial",
    "sft --data data/mine --model Qwen2.5-0.5B --lora-r 16 --dry-run --out runs/b",
    "sft --config examples/train_full/mine.yaml --out runs/c",
    "sft --config runs/a/config.json --out runs/a --resume",
    "sft --data synthetic --sids sids/ --model runs/a --max-steps 500 --out runs/longer",
  ],
  config,
  translate: fromLlamaFactory,
  async run(flags, io) {
    await sft(flags, io);
  },
};

type Flags = z.output<typeof config>;

/** Trains as the flags say; also the SFT stage of `quickstart`. */
export async function sft(given: Flags, io: TaskIO): Promise<void> {
  const from = given.model === "" ? undefined : await runWeights(given.model);
  // A resumed run knows its words.
  const words = given.resume || given.prompts !== "" ? undefined : from?.words;
  const flags = { ...given, model: from?.folder ?? given.model, ...words };
  const { data, holdoutRows, out, resume, dryRun, memoryLimit } = flags;
  if (from) await checkHeldOut(from, holdoutRows);
  if (from && !resume) io.log(`Starts from the weights of ${from.folder}`);
  if (words) io.log(`Takes its words from ${words.prompts}; --prompts names others, such as genrec`);
  // Keys that are not settings of the training are left out.
  const asked = sftSettings(z.object(SftFlags.shape).parse(flags), { resume, sidsAlone: from?.sidsAlone });
  const run = new RunDirectory(out, asked);
  const { world } = io;
  if (!dryRun && world.rank === 0) await run.check(resume); // the others may find what it has made by then
  const work = await openSft(flags, asked, io);
  const { settings } = work;
  io.signal.throwIfAborted(); // nothing is there to be saved
  const limits = { dryRun, memoryLimit, trie: work.trie?.host, validation: work.validationOn };
  await checkCost(work.device, work.inputs, work.packed, settings, limits, io);
  if (dryRun) return;
  const { files, ...record } = await recordOf(work, flags);
  if (resume) {
    const { texts, manifest } = record;
    const defaults = { holdoutRows: 0, ...settingsDefaults(SftSchema) };
    await checkSame(run, { holdoutRows, ...settings }, texts, files, manifest, defaults);
  }
  await agreeOn(world, { ...record, settings });
  const { gradientAccumulationSteps, batchSize } = settings;
  checkDealt(
    work.packed.mostMicroBatches(0),
    world,
    batchSize > 0
      ? "a larger --batch-size or a smaller --tokens-per-batch"
      : `--gradient-accumulation-steps ${gradientAccumulationSteps * world.size}`,
  );
  const goOn = goOnLine("sft", out);
  const progress = new StepProgress(io);
  const result = await trainSft({
    ...inputOf(work, flags, io),
    config: settings,
    run,
    resume,
    signal: io.signal,
    async onStart({ tokensPerEpoch, sequences, ...size }) {
      if (!resume && world.rank === 0) await startRun(run, record);
      if (work.device.isCpu) collectGarbage(); // of weights that were read
      const line = `Data: ${short(sequences)} sequences, ${short(tokensPerEpoch)} tokens an epoch`;
      progress.start(work.device, "sft", size, line);
    },
    onStep: (step, note) => progress.update(step, note),
    onValidation: (step, found, best) => progress.validated(step, found, best ? "best so far" : ""),
  }).catch(async (error) => {
    if (!(error instanceof DivergenceError) && await run.hasCheckpoint()) io.log(goOn);
    throw error;
  }).finally(() => {
    progress.stop();
    work.validation?.destroy();
    work.trie?.destroy();
  });

  if (result.stopped === "interrupted") {
    io.log(`Stopped, ${out} is saved. ${goOn}`);
    return;
  }
  const ended = endedAs(result.stopped);
  io.log(
    result.steps === 0
      ? `${ended} before, nothing is left to do. ${trainOnAdvice(out)}`
      : `${ended} after ${result.steps} steps, ${duration(result.seconds)}, ${
        short(result.tokensPerSecond)
      } tokens/s.`,
  );
  io.log(evaluateLine(out, data));
}

/** What is trained, on what, and how it is measured. */
interface SftWork {
  device: Device;
  /** As they were asked for, but with micro batches that fit the device. */
  settings: SftConfig;
  /** Choices of kernels that were made before. */
  choices: ChoiceStore;
  dataset: Dataset;
  sids: string[][];
  /** Where the SIDs are from, if not the dataset. */
  sidsFile: string | undefined;
  inputs: SftInputs;
  packed: PackedData;
  validation: Validation | undefined;
  /** The same on another device, for this process alone; undefined without one. */
  validationOn: ((device: Device) => Validation) | undefined;
  trie: DeviceTrie | undefined;
}

/** Reads all that the flags name but the weights, and opens the device. */
async function openSft(
  { data, holdoutRows, sids: index, adapter, variant }: Flags,
  asked: SftConfig,
  io: TaskIO,
): Promise<SftWork> {
  const part = holdOut(await loadDataset(data), holdoutRows);
  const { dataset, sids, sidsFile } = await loadInputs(data, index, part);
  const inputs = await sftInputs(dataset, sids, data, asked, io);
  const { source, prompts } = inputs;
  const { device, store: choices } = await openDevice({ adapter, variant }, { dtype: asked.dtype }, io);
  const settings = withMicroBatch(asked, inputs.architecture, device);
  if (settings.tokensPerBatch < asked.tokensPerBatch) io.log(microBatchNote(asked, settings, device));
  const packed = new PackedData(source, settings, settings.seed);
  const validationOf = (device: Device, world: World) =>
    new Validation({
      device,
      dataset: dataset.name,
      valid: dataset.samples.valid,
      prompts,
      normalisation: trainedNormalisation(settings),
      ...validationSettings(settings),
      world,
    });
  const isValidated = settings.evalSamples > 0;
  const validation = isValidated ? validationOf(device, io.world) : undefined;
  const validationOn = isValidated ? (device: Device) => validationOf(device, ALONE) : undefined;
  const trie = settings.trieLossWeight > 0
    ? new DeviceTrie(device, buildTrie(prompts.itemTokens))
    : undefined;
  return {
    device,
    settings,
    choices,
    dataset,
    sids,
    sidsFile,
    inputs,
    packed,
    validation,
    validationOn,
    trie,
  };
}

/** That micro batches are smaller than asked for, and why. */
function microBatchNote(
  { tokensPerBatch: asked }: SftConfig,
  { tokensPerBatch, gradientAccumulationSteps, batchSize }: SftConfig,
  { limits }: Device,
): string {
  const steps = batchSize > 0 ? "" : `, ${gradientAccumulationSteps} to an optimizer step`;
  return `Note: micro batches of ${tokensPerBatch} tokens${steps}: activations of ${asked} are more than this adapter ` +
    `binds, ${formatBytes(limits.maxStorageBufferBindingSize)}`;
}

/** What the run directory says of the run, and the files that a resumed one must find as they were. */
async function recordOf(
  { device, settings, dataset, sids, sidsFile, inputs }: SftWork,
  { data, holdoutRows, sids: index, tune, adapter, variant }: Flags,
): Promise<Required<RunRecord> & { files: string[] }> {
  const { preferences, rows, seed } = settings;
  const files = [
    ...dataset.files,
    ...inputs.pretrained?.paths ?? [],
    ...preferences ? [preferences] : [],
    ...rows,
  ];
  const sources = [...files, ...sidsFile ? [sidsFile] : []];
  return {
    files,
    texts: { "index.json": formatIndex(sids), ...inputs.files },
    manifest: await runManifest(device, dataset.name, sources, { task: "sft", seed }),
    dataset,
    sids,
    config: { data, holdoutRows, sids: index, tune, adapter, variant, ...settings },
  };
}

/** What of the training's input follows from what was read. */
function inputOf(
  { device, settings, choices, inputs, packed, validation, trie }: SftWork,
  { out, tune }: Flags,
  io: TaskIO,
) {
  const { tokenizer, companions } = inputs;
  let loading: Progress | undefined;
  const makeDecoder = () =>
    sftDecoder(device, inputs, settings, (done, total) => {
      io.signal.throwIfAborted();
      loading ??= io.progress(total, "weights");
      loading.update(done);
    }).finally(() => loading?.stop());
  const isTuned = tune === "on" || tune === "auto" && !device.isCpu;
  const { world } = io;
  return {
    device,
    world,
    data: packed,
    trie,
    makeDecoder,
    validation,
    companions,
    decode: tokenizer && ((tokens: Uint32Array) => tokenizer.decode(tokens, true)),
    openObserver: observersOf(out, settings, io),
    tune: isTuned
      ? () => tuneTogether(world, choices, (store) => autotune(device, store, { log: io.log }))
      : undefined,
  } satisfies Partial<SftInput>;
}
