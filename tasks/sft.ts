import { z } from "zod";
import { formatIndex } from "../data/index_file.ts";
import { SidVocabulary } from "../sid/tokens.ts";
import { RunDirectory } from "../train/run_directory.ts";
import { SftSchema } from "../train/sft_schema.ts";
import { trainSft } from "../train/sft.ts";
import { autotune } from "../kernels/autotune.ts";
import { UserError } from "../data/user_error.ts";
import type { Task, TaskIO } from "./_cli.ts";
import { loadInputs, openDevice, runManifest, VariantFlag } from "./_inputs.ts";
import type { Progress } from "./progress.ts";

const config = z.strictObject({
  data: z.string().describe("dataset directory, ours or foreign, or `synthetic`"),
  sids: z.string().default("").describe("index.json of other SIDs than the dataset's own"),
  out: z.string().describe("run directory to write"),
  resume: z.boolean().default(false).describe("continue the run in --out from its latest checkpoint"),
  tune: z.enum(["auto", "on", "off"]).default("auto").describe(
    "time kernel variants before the first step; auto: on GPUs, where no choice is known yet",
  ),
  ...VariantFlag,
  ...SftSchema.shape,
});

export const task: Task<typeof config> = {
  name: "sft",
  summary: "train a decoder on next-item prediction",
  examples: [
    "sft --data synthetic --sids sids/ --out runs/a",
    "sft --data data/minionerec-industrial --config configs/industrial-small.yaml --out runs/industrial",
  ],
  config,
  async run(flags, io) {
    await sft(flags, io);
  },
};

/** Trains as the flags say; also the SFT stage of `quickstart`. */
export async function sft(flags: z.output<typeof config>, io: TaskIO): Promise<void> {
  const { data, sids: index, out, resume, tune, variant, ...settings } = flags;
  const { dataset, sids } = await loadInputs(data, index);
  const vocabulary = SidVocabulary.fromSids(sids);
  const { device, store } = await openDevice(variant);
  const run = new RunDirectory(out);
  await run.create(resume);
  if (resume) await checkSame(run, { data, ...settings });
  else {
    await run.write("index.json", formatIndex(sids));
    await run.write("vocabulary.json", JSON.stringify(vocabulary.toJSON()) + "\n");
    await run.write(
      "manifest.json",
      JSON.stringify(await runManifest(device, dataset, { seed: settings.seed }), null, 2) + "\n",
    );
    await run.write(
      "config.json",
      JSON.stringify({ task: "sft", data, sids: index, ...settings }, null, 2) + "\n",
    );
  }

  let progress: Progress | undefined;
  const tuning = tune === "on" || tune === "auto" && !device.isCpu;
  const result = await trainSft({
    device,
    dataset,
    sids,
    vocabulary,
    config: settings,
    run,
    resume,
    signal: io.signal,
    tune: tuning ? () => autotune(device, store, { log: io.log }) : undefined,
    onStart({ parameters, steps, tokensPerEpoch, sequences }) {
      io.log(
        `${
          (parameters / 1e6).toFixed(2)
        } M parameters, ${sequences} sequences, ${tokensPerEpoch} tokens an epoch, ` +
          `${steps} steps, on ${device.info.description || device.info.vendor}`,
      );
      progress = io.progress(steps, "sft");
    },
    onStep: (step, note) => progress?.update(step, note),
    onValidation(step, { hr10, ndcg10 }, best) {
      io.log(
        `step ${step}: valid HR@10 ${hr10.toFixed(4)}, NDCG@10 ${ndcg10.toFixed(4)}${
          best ? ", best so far" : ""
        }`,
      );
    },
  }).finally(() => progress?.stop());

  const rate = `${Math.round(result.tokensPerSecond)} tokens/s`;
  if (result.stopped === "interrupted") {
    io.log(`Stopped and saved in ${out}. Continue with: genrec sft --data ${data} --out ${out} --resume`);
    return;
  }
  io.log(
    `${result.stopped === "early" ? "Stopped early" : "Finished"} after ${result.steps} steps, ` +
      `${result.seconds.toFixed(0)} s, ${rate}. Evaluate with: genrec evaluate --run ${out} --data ${data}`,
  );
}

// A resumed run must be the same run: another setting would give a curve that no uninterrupted run has.
async function checkSame(run: RunDirectory, settings: Record<string, unknown>): Promise<void> {
  const saved = await run.readJson("config.json") as Record<string, unknown>;
  for (const [key, value] of Object.entries(settings)) {
    if (key === "data" || JSON.stringify(saved[key]) === JSON.stringify(value)) continue;
    throw new UserError(
      `Cannot resume ${run.path} with ${key} ${JSON.stringify(value)}: it was started with ` +
        `${JSON.stringify(saved[key])}. Use the same flags or config, or start another run`,
    );
  }
}
