import { basename } from "node:path";
import { z } from "zod";
import { formatIndex } from "../data/formats/index_file.ts";
import { DeviceTrie } from "../decode/device_trie.ts";
import { Pretrained } from "../models/hugging_face/pretrained.ts";
import { diskFiles } from "../base/files/disk.ts";
import { buildTrie } from "../sid/trie.ts";
import { codeSizesOf } from "../train/run/checkpoint.ts";
import { DivergenceError } from "../train/run/divergence.ts";
import { openObservers } from "../train/observers/open.ts";
import { retrievalFiles } from "../train/encoder_decoder/retrieval.ts";
import { createRewards } from "../train/rl/reward_set.ts";
import { parseRewards } from "../train/rl/rewards/by_name.ts";
import { rlExamples } from "../train/rl/examples/examples.ts";
import { checkedRl, type RlConfig, RlSchema } from "../train/rl/config.ts";
import { decoderPolicy, encoderDecoderPolicy, type PolicySource } from "../train/rl/policy/policies.ts";
import type { PolicyModel } from "../train/rl/policy/batch.ts";
import { loadRlState, type RlState } from "../train/rl/state.ts";
import { type RlResult, type RlRunInput, trainRl } from "../train/rl/trainer.ts";
import { type Verdict, verdict } from "../train/rl/verdict.ts";
import { RunDirectory } from "../train/run/run_directory.ts";
import { Validation } from "../train/run/validation.ts";
import type { Task, TaskIO } from "./_cli/cli.ts";
import { RunOutput } from "./_cli/run_flags.ts";
import { DeviceFlags, openDevice } from "./_cli/open_device.ts";
import { runManifest } from "../train/run/inputs.ts";
import { short } from "./_cli/format.ts";
import { checkSame } from "./_cli/resume.ts";
import { configured, RewardFlags, RlFlags } from "./_train/rl_settings.ts";
import { RunFlags } from "./_cli/run_flags.ts";
import { openSidRun } from "../train/runs/open_run.ts";
import { endedAs, evaluateLine, goOnLine, sizeLines } from "./_cli/training_lines.ts";
import { duration, type Progress } from "./_cli/progress.ts";
import { settingsDefaults } from "./_cli/settings_flags.ts";

const config = z.strictObject({
  ...RunFlags,
  ...RunOutput,
  ...DeviceFlags,
  ...RlFlags.shape,
  ...RewardFlags,
});

export const task: Task<typeof config> = {
  name: "rl",
  summary: "sharpen the ranking of a trained model with GRPO",
  examples: [
    "rl --run runs/a --reward rule,ranking --out runs/b",
    "rl --run runs/a --rollout sample --reward rule,prefix --advantages level --out runs/c",
    "rl --run runs/etegrec/finetune --loss etegrec --rollout sample --top-k 50 --out runs/d",
    "rl --config runs/b/config.json --out runs/b --resume",
  ],
  config,
  async run(flags, io) {
    const result = await rl(flags, io);
    if (io.json) console.log(JSON.stringify(result, null, 2));
  },
};

/** Trains as the flags say; also the RL stage of `quickstart`. Undefined where the run was interrupted. */
export async function rl(flags: z.output<typeof config>, io: TaskIO): Promise<Verdict | undefined> {
  const { run: parent, data, sids, prompts: words, maxHistory, checkpoint, out, resume, adapter, variant } =
    flags;
  const asked = { sids, prompts: words, maxHistory };
  // Keys that are not settings of the training are left out.
  const settings: RlConfig = checkedRl(z.object(RlSchema.shape).parse(flags));
  const methods = configured(parseRewards(settings.reward), flags);
  const rewardSettings: Record<string, unknown> = Object.assign({}, ...methods.map(({ config }) => config));
  const run = new RunDirectory(out, settings);
  await run.check(resume);
  const source = await openSidRun(parent, {
    ...asked,
    data,
    checkpoint,
    normalisation: settings.normalisation,
  });
  const { dataset, prompts, normalisation, weights: { folder } } = source;
  const isEncoderDecoder = await codeSizesOf(folder) !== undefined;
  const { examples, report } = await rlExamples(source, settings);
  const { device } = await openDevice({ adapter, variant });
  const train = isEncoderDecoder
    ? trainerOf(encoderDecoderPolicy(device, folder, settings))
    : trainerOf(decoderPolicy(device, folder, settings));
  const trie = new DeviceTrie(device, buildTrie(prompts.itemTokens));
  const rewards = await createRewards(methods, {
    dataset,
    itemTokens: prompts.itemTokens,
    device: () => Promise.resolve(device),
    warn: (message) => io.log(`Warning: ${message}`),
  });
  const validation = new Validation({
    device,
    dataset: dataset.name,
    valid: dataset.samples.valid,
    prompts,
    samples: settings.evalSamples,
    beams: settings.evalBeams,
    normalisation,
    tokensPerBatch: settings.tokensPerBatch,
    seed: settings.seed,
  });

  const files = Object.fromEntries(
    await Promise.all(
      source.describedBy.map(async (path) => [basename(path), await Deno.readFile(path)] as const),
    ),
  );
  const tensors = isEncoderDecoder
    ? [`${folder}/model.safetensors`]
    : (await Pretrained.open(folder, diskFiles)).paths;
  const inputs = [
    ...methods.flatMap(({ method, config }) => method.files?.(config) ?? []),
    ...[settings.rows, settings.preferences].filter((path) => path !== ""),
  ];
  const sources = [...dataset.files, ...tensors, ...inputs];
  const manifest = {
    ...await runManifest(device, dataset.name, sources, { task: "rl", seed: settings.seed }),
    parent: { run: parent, checkpoint: basename(folder) },
  };
  const texts = {
    "index.json": formatIndex(source.sids),
    ...files,
    // Those of the flag or the built-in ones too, which no file of the model tells.
    ...(prompts.text
      ? { "prompts.json": JSON.stringify(prompts.text.prompts.templates, null, 2) + "\n" }
      : {}),
  };
  const recorded = { ...settings, ...rewardSettings };
  if (resume) await checkSame(run, recorded, texts, sources, manifest, settingsDefaults(RlSchema));
  const start = async () => {
    await run.create(false);
    for (const [name, content] of Object.entries(texts)) await run.write(name, content);
    await run.write("manifest.json", JSON.stringify(manifest, null, 2) + "\n");
    // Last: a folder with it is a run. It serves as --config when the run is resumed.
    const model = { ...source.settings, data: source.data, normalisation };
    await run.write("model.json", JSON.stringify(model, null, 2) + "\n");
    await run.write(
      "config.json",
      JSON.stringify({ run: parent, data, ...asked, checkpoint, adapter, variant, ...recorded }, null, 2) +
        "\n",
    );
  };
  const goOn = goOnLine("rl", out);

  for (const { name, rows, tokens } of report) {
    io.log(
      `Examples: ${short(rows)} of ${name}, ${(tokens / Math.max(1, rows)).toFixed(0)} tokens on average`,
    );
  }
  const tell = async (state: RlState) => {
    const told = verdict(state, settings.seed);
    await run.write("verdict.json", JSON.stringify(told, null, 2) + "\n");
    io.log(told.text);
    return told;
  };
  let progress: Progress | undefined;
  const result = await train({
    device,
    examples,
    rewards,
    trie,
    itemTokens: prompts.itemTokens,
    train: dataset.samples.train,
    validation,
    normalisation,
    config: settings,
    run,
    resume,
    companions: isEncoderDecoder
      ? retrievalFiles(source.sids, { maxHistory: source.maxHistory, normalisation })
      : Object.entries(files).filter(([name]) => /^(tokenizer|chat_template)/.test(name))
        .map(([name, bytes]) => ({ name, bytes })),
    signal: io.signal,
    openObserver: (firstStep) =>
      openObservers(settings.reportTo, {
        directory: out,
        name: basename(out),
        config: { ...settings },
        firstStep,
        warn: io.log,
      }),
    async onStart({ parameters, trained, done, steps }) {
      if (!resume) await start();
      const lines = sizeLines(device, { parameters, trained, steps, done });
      io.log(lines.model);
      io.log(lines.steps);
      progress = io.progress(steps, "rl");
    },
    onStep(step, { reward, hitGroups, kl, zeroVariance }) {
      progress?.update(
        step,
        `reward ${reward.toFixed(3)}, hits ${(100 * hitGroups).toFixed(0)} %, equal ${
          (100 * zeroVariance).toFixed(0)
        } %, KL ${kl.toFixed(4)}`,
      );
    },
    onValidation(step, ndcg10, hr10, best) {
      io.log(
        `step ${step}: valid HR@10 ${hr10.toFixed(4)}, NDCG@10 ${ndcg10.toFixed(4)}${
          step === 0 ? ", before the first step" : best ? ", best so far" : ""
        }`,
      );
    },
    onNote: (message) => io.log(message),
  }).catch(async (error) => {
    if (!await run.hasCheckpoint()) throw error;
    if (!(error instanceof DivergenceError)) io.log(goOn);
    else await tell((await loadRlState(await run.checkpoint("latest"))).state);
    throw error;
  }).finally(() => progress?.stop());

  if (result.stopped === "interrupted") {
    io.log(`Stopped, ${out} is saved. ${goOn}`);
    return undefined;
  }
  io.log(`${endedAs(result.stopped)} after ${result.steps} steps, ${duration(result.seconds)}.`);
  const told = await tell(result.state);
  io.log(evaluateLine(out, source.data));
  return told;
}

/** Training of one architecture or the other. */
function trainerOf<M extends PolicyModel>(source: PolicySource<M>): (input: RlRunInput) => Promise<RlResult> {
  return (input) => trainRl({ ...input, ...source });
}
