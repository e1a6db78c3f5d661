import { basename } from "node:path";
import { z } from "zod";
import { formatIndex } from "../data/formats/index_file.ts";
import { DeviceTrie } from "../decode/device_trie.ts";
import { buildTrie } from "../sid/trie.ts";
import { openObservers } from "../train/observers/open.ts";
import { RunDirectory } from "../train/run/run_directory.ts";
import { DivergenceError } from "../train/run/divergence.ts";
import { SftSchema, trainedNormalisation } from "../train/sft/config.ts";
import { PackedData } from "../train/run/packed_data.ts";
import { sftDecoder } from "../train/sft/decoder.ts";
import { trainSft } from "../train/sft/sft.ts";
import { Validation } from "../train/run/validation.ts";
import { autotune } from "../kernels/autotune.ts";
import type { Task, TaskIO } from "./_cli/cli.ts";
import { RunOutput, TrainingData } from "./_cli/run_flags.ts";
import { short } from "./_cli/format.ts";
import { loadInputs, runManifest } from "../train/run/inputs.ts";
import { DeviceFlags, openDevice } from "./_cli/open_device.ts";
import { checkSame } from "./_cli/resume.ts";
import { checkCost } from "./_train/sft_cost.ts";
import { sftInputs } from "./_train/sft_inputs.ts";
import { SftFlags, sftSettings } from "./_train/sft_settings.ts";
import { endedAs, evaluateLine, goOnLine, sizeLines } from "./_cli/training_lines.ts";
import { duration, type Progress } from "./_cli/progress.ts";
import { settingsDefaults } from "./_cli/settings_flags.ts";

const config = z.strictObject({
  ...TrainingData,
  sids: z.string().default("").describe("index.json of other SIDs than the dataset's own"),
  ...RunOutput,
  tune: z.enum(["auto", "on", "off"]).default("auto").describe(
    "time kernel variants before the first step; auto: on GPUs, where no choice is known yet",
  ),
  dryRun: z.boolean().default(false).describe("say what the run takes, and train nothing"),
  memoryLimit: z.number().min(0).default(0).describe(
    "GiB that the run may take; 0: what the machine has free on a CPU adapter, no limit on a GPU, which does not tell",
  ),
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
    "sft --config runs/a/config.json --out runs/a --resume",
  ],
  config,
  async run(flags, io) {
    await sft(flags, io);
  },
};

/** Trains as the flags say; also the SFT stage of `quickstart`. */
export async function sft(flags: z.output<typeof config>, io: TaskIO): Promise<void> {
  const { data, sids: index, out, resume, tune, adapter, variant, dryRun, memoryLimit, ...given } = flags;
  const settings = sftSettings(given, resume);
  const run = new RunDirectory(out, settings);
  if (!dryRun) await run.check(resume);
  const { dataset, sids, sidsFile } = await loadInputs(data, index);
  const inputs = await sftInputs(dataset, sids, data, settings, io);
  const { source, prompts } = inputs;
  const packed = new PackedData(source, settings, settings.seed);
  const { device, store } = await openDevice({ adapter, variant }, { dtype: settings.dtype });
  const validation = settings.evalSamples === 0 ? undefined : new Validation({
    device,
    dataset: dataset.name,
    valid: dataset.samples.valid,
    prompts,
    samples: settings.evalSamples,
    beams: settings.evalBeams,
    normalisation: trainedNormalisation(settings),
    tokensPerBatch: settings.tokensPerBatch,
    seed: settings.seed,
  });
  const trie = settings.trieLossWeight > 0
    ? new DeviceTrie(device, buildTrie(prompts.itemTokens))
    : undefined;
  await checkCost(device, inputs, packed, settings, { dryRun, memoryLimit, trie: trie?.host }, io);
  if (dryRun) return;
  const files = [
    ...dataset.files,
    ...inputs.pretrained?.paths ?? [],
    ...settings.preferences ? [settings.preferences] : [],
  ];
  const manifest = await runManifest(device, dataset.name, [...files, ...sidsFile ? [sidsFile] : []], {
    task: "sft",
    seed: settings.seed,
  });
  const texts = { "index.json": formatIndex(sids), ...inputs.files };
  if (resume) await checkSame(run, { ...settings }, texts, files, manifest, settingsDefaults(SftSchema));
  const start = async () => {
    await run.create(false);
    for (const [name, content] of Object.entries(texts)) await run.write(name, content);
    await run.write("manifest.json", JSON.stringify(manifest, null, 2) + "\n");
    // Last: a folder with it is a run. It serves as --config when the run is resumed.
    const resolved = { data, sids: index, tune, adapter, variant, ...settings };
    await run.write("config.json", JSON.stringify(resolved, null, 2) + "\n");
  };
  const goOn = goOnLine("sft", out);

  let loading: Progress | undefined;
  let progress: Progress | undefined;
  const tuning = tune === "on" || tune === "auto" && !device.isCpu;
  const result = await trainSft({
    device,
    data: packed,
    trie,
    makeDecoder() {
      return sftDecoder(device, inputs, settings, (done, total) => {
        loading ??= io.progress(total, "weights");
        loading.update(done);
      }).finally(() => loading?.stop());
    },
    validation,
    companions: inputs.companions,
    decode: inputs.tokenizer && ((tokens) => inputs.tokenizer!.decode(tokens, true)),
    config: settings,
    run,
    resume,
    signal: io.signal,
    openObserver: (firstStep) =>
      openObservers(settings.reportTo, {
        directory: out,
        name: basename(out),
        config: { ...settings },
        firstStep,
        warn: io.log,
      }),
    tune: tuning ? () => autotune(device, store, { log: io.log }) : undefined,
    async onStart({ parameters, trained, done, steps, tokensPerEpoch, sequences }) {
      if (!resume) await start();
      const lines = sizeLines(device, { parameters, trained, steps, done });
      io.log(lines.model);
      io.log(`Data: ${short(sequences)} sequences, ${short(tokensPerEpoch)} tokens an epoch`);
      io.log(lines.steps);
      progress = io.progress(steps, "sft");
    },
    onStep: (step, note) => progress?.update(step, note),
    onValidation(step, { hr10, ndcg10, loss }, best) {
      io.log(
        `step ${step}: valid HR@10 ${hr10.toFixed(4)}, NDCG@10 ${ndcg10.toFixed(4)}, loss ${loss.toFixed(3)}${
          best ? ", best so far" : ""
        }`,
      );
    },
  }).catch(async (error) => {
    if (!(error instanceof DivergenceError) && await run.hasCheckpoint()) io.log(goOn);
    throw error;
  }).finally(() => progress?.stop());

  if (result.stopped === "interrupted") {
    io.log(`Stopped, ${out} is saved. ${goOn}`);
    return;
  }
  const ended = endedAs(result.stopped);
  io.log(
    result.steps === 0
      ? `${ended} before, nothing is left to do.`
      : `${ended} after ${result.steps} steps, ${duration(result.seconds)}, ${
        short(result.tokensPerSecond)
      } tokens/s.`,
  );
  io.log(evaluateLine(out, data));
}
