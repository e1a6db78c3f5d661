import { basename } from "node:path";
import { z } from "zod";
import { ALONE, type World } from "../base/parallel/world.ts";
import { grouped } from "../base/fields.ts";
import { formatIndex } from "../data/formats/index_file.ts";
import { holdOut } from "../data/holdout.ts";
import type { TokenNormalisation } from "../kernels/trie/log_softmax.ts";
import { DeviceTrie } from "../decode/device_trie.ts";
import type { Device } from "../kernels/gpu/device.ts";
import { type ModelFile, Pretrained } from "../models/hugging_face/pretrained.ts";
import { diskFiles } from "../base/files/disk.ts";
import { buildTrie } from "../sid/trie.ts";
import { codeSizesOf } from "../train/run/checkpoint.ts";
import { DivergenceError } from "../train/run/divergence.ts";
import { retrievalFiles } from "../train/encoder_decoder/retrieval.ts";
import { createRewards, type RewardSet } from "../train/rl/reward_set.ts";
import { parseRewards, type WeightedReward } from "../train/rl/rewards/by_name.ts";
import type { Diagnostics } from "../train/rl/diagnostics.ts";
import { rlExamples, type RlTrainingSet } from "../train/rl/examples/examples.ts";
import { checkedRl, REWARD_HEADING, type RlConfig, RlSchema } from "../train/rl/config.ts";
import { REWARD_TIMEOUT } from "../train/rl/rewards/user_reward.ts";
import { decoderPolicy, encoderDecoderPolicy, type PolicySource } from "../train/rl/policy/policies.ts";
import type { PolicyModel } from "../train/rl/policy/batch.ts";
import { loadRlState, type RlState } from "../train/rl/state.ts";
import { rehearseRl } from "../train/rl/rehearsal.ts";
import { type RlResult, type RlRunInput, trainRl } from "../train/rl/trainer.ts";
import { type Verdict, verdict } from "../train/rl/verdict.ts";
import { RunDirectory } from "../train/run/directory.ts";
import { Validation, validationSettings } from "../train/run/validation.ts";
import type { Task, TaskIO } from "./_cli/cli.ts";
import { tellRehearsed } from "./_cli/memory.ts";
import { DeviceFlags, openDevice } from "./_cli/open_device.ts";
import { runManifest } from "../train/run/inputs.ts";
import { short } from "./_cli/format.ts";
import { checkSame } from "./_cli/resume.ts";
import { configured, RewardFlags, RlFlags } from "./_train/rl_settings.ts";
import { RunFlags, RunOutput } from "./_cli/run_flags.ts";
import { openSidRun } from "../train/runs/open_run.ts";
import { holdoutRowsOf, readRunFolder } from "../train/runs/run_folder.ts";
import { askedBy, type SidRun } from "../train/runs/sid_model.ts";
import { observersOf } from "./_train/observers.ts";
import { checkHeldOut } from "./_train/run_weights.ts";
import { agreeOn } from "./_train/together.ts";
import { startRun } from "../train/runs/start_run.ts";
import { StepProgress } from "./_train/step_progress.ts";
import { endedAs, evaluateLine, goOnLine } from "./_cli/training_lines.ts";
import { duration } from "./_cli/progress.ts";
import type { TaskReport } from "../prompts/rows/source.ts";
import { settingsDefaults } from "./_cli/settings_flags.ts";

const config = z.strictObject({
  ...RunFlags,
  holdoutRows: z.int().min(0).optional().describe(
    "train on all but the last so many train targets, for `genrec rank` (default: as many as --run left out)",
  ),
  ...RunOutput,
  ...DeviceFlags,
  ...RlFlags.shape,
  ...RewardFlags,
  ...grouped(REWARD_HEADING, {
    rewardTimeout: z.number().min(0).default(REWARD_TIMEOUT).describe(
      "seconds that a .ts reward may go without an answer before the run ends; 0: no limit",
    ),
  }),
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
    if (io.json && result && io.world.rank === 0) console.log(JSON.stringify(result, null, 2));
  },
};

type Flags = z.output<typeof config>;

/** Trains as the flags say; also the RL stage of `quickstart`. Undefined where the run was interrupted. */
export async function rl(flags: Flags, io: TaskIO): Promise<Verdict | undefined> {
  const { out, resume } = flags;
  // Keys that are not settings of the training are left out.
  const settings: RlConfig = checkedRl(z.object(RlSchema.shape).parse(flags));
  const methods = configured(parseRewards(settings.reward), flags);
  const run = new RunDirectory(out, settings);
  const { world } = io;
  if (world.rank === 0) await run.check(resume); // the others may find what it has made by then
  const work = await openRl(flags, settings, methods, io);
  io.signal.throwIfAborted(); // nothing is there to be saved
  const { sources, recorded, texts, model, ...record } = await recordOf(work, flags, settings, methods);
  if (resume) {
    const { holdoutRows } = work, defaults = { holdoutRows: 0, ...settingsDefaults(RlSchema) };
    await checkSame(run, { holdoutRows, ...recorded }, texts, sources, record.manifest, defaults);
  }
  for (const { name, rows, tokens } of work.report) {
    const mean = (tokens / Math.max(1, rows)).toFixed(0);
    io.log(`Examples: ${short(rows)} of ${name}, ${mean} tokens on average`);
  }

  await agreeOn(world, { ...record, texts, settings: recorded });
  const input = { ...inputOf(work, settings), run, resume, signal: io.signal, world };
  await tellRehearsed(
    work.device,
    async (device, stop) => {
      const { trie, validation, rehearse } = work.partsOf(device, ALONE);
      stop(await rehearse({ ...input, device, trie, validation }));
    },
    "the training, rewards not counted",
    io,
  );
  const goOn = goOnLine("rl", out);
  const progress = new StepProgress(io);
  const result = await work.train({
    ...input,
    openObserver: observersOf(out, settings, io),
    async onStart(size) {
      if (!resume && world.rank === 0) {
        await startRun(run, { ...record, texts: { ...texts, "model.json": model } });
      }
      progress.start(work.device, "rl", size);
    },
    onStep: (step, line) => progress.update(step, noteOf(line, settings)),
    onValidation(step, ndcg10, hr10, best) {
      progress.validated(
        step,
        { hr10, ndcg10 },
        step === 0 ? "before the first step" : best ? "best so far" : "",
      );
    },
    onNote: (message) => io.log(message),
  }).catch(async (error) => {
    if (!await run.hasCheckpoint()) throw error;
    if (!(error instanceof DivergenceError)) io.log(goOn);
    else {await judge(
        run,
        (await loadRlState(await run.checkpoint("latest"))).state,
        work.validation.sharing,
        settings,
        io,
      );}
    throw error;
  }).finally(() => {
    progress.stop();
    work.rewards.close?.();
    work.validation.destroy();
    work.trie.destroy();
  });

  if (result.stopped === "interrupted") {
    io.log(`Stopped, ${out} is saved. ${goOn}`);
    return undefined;
  }
  io.log(`${endedAs(result.stopped)} after ${result.steps} steps, ${duration(result.seconds)}.`);
  const told = await judge(run, result.state, work.validation.sharing, settings, io);
  io.log(evaluateLine(out, work.source.data));
  return told;
}

/** Training of one architecture or the other. */
interface Trainer {
  train(input: RlRunInput): Promise<RlResult>;
  /** Holds what a step of it holds; bytes of the process that its checkpoints take beside. */
  rehearse(input: RlRunInput): Promise<number>;
}

/** What of the work lies on a device. */
interface RlParts extends Trainer {
  trie: DeviceTrie;
  validation: Validation;
}

/** What is trained, on what, and how it is measured. */
interface RlWork extends RlTrainingSet, RlParts {
  /** With what it was trained on, `holdoutRows` left out. */
  source: SidRun;
  holdoutRows: number;
  device: Device;
  /** Files of the weights. */
  tensors: string[];
  /** The same on another device. */
  partsOf(device: Device, world: World): RlParts;
  rewards: RewardSet;
  /** Files that go with every checkpoint. */
  companions: ModelFile[];
  /** Files of the run that is trained on, by name: its vocabulary, or tokenizer and templates. */
  files: Record<string, Uint8Array>;
}

/** Reads all that the flags name but the weights, and opens the device. */
async function openRl(
  flags: Flags,
  settings: RlConfig,
  methods: readonly WeightedReward[],
  io: TaskIO,
): Promise<RlWork> {
  const { run: parent, data, sids, prompts: words, maxHistory, checkpoint, adapter, variant } = flags;
  const asked = { sids, prompts: words, maxHistory, data, checkpoint };
  const whole = await openSidRun(parent, { ...asked, normalisation: settings.normalisation });
  const holdoutRows = flags.holdoutRows ?? holdoutRowsOf(await readRunFolder(parent));
  if (flags.holdoutRows !== undefined) await checkHeldOut({ run: parent }, holdoutRows);
  const opened = { ...whole, dataset: holdOut(whole.dataset, holdoutRows) };
  const { dataset, prompts, weights: { folder } } = opened;
  const { warning } = askedBy(opened);
  if (warning !== undefined) io.log(`Warning: ${warning}`);
  const isEncoderDecoder = await codeSizesOf(folder) !== undefined;
  const examples = await rlExamples(opened, settings);
  const source = { ...opened, normalisation: normalisationFor(opened, examples, settings, io) };
  const { normalisation } = source;
  const { dtype } = settings;
  const { device } = await openDevice({ adapter, variant }, { dtype }, io);
  const { itemTokens } = prompts;
  const partsOf = (device: Device, world: World) => ({
    ...isEncoderDecoder
      ? trainerOf(encoderDecoderPolicy(device, folder, settings))
      : trainerOf(decoderPolicy(device, folder, settings)),
    trie: new DeviceTrie(device, buildTrie(itemTokens)),
    validation: new Validation({
      device,
      dataset: dataset.name,
      valid: dataset.samples.valid,
      prompts,
      normalisation,
      ...validationSettings(settings),
      world,
    }),
  });
  const rewards = await createRewards(methods, {
    dataset,
    itemTokens,
    texts: examples.examples.texts,
    isOpen: settings.targets === "none",
    // Recommenders that score answers do so as they would alone.
    device: async () =>
      dtype === "float32" ? device : (await openDevice({ adapter, variant }, {}, { ...io, log() {} })).device,
    warn: (message) => io.log(`Warning: ${message}`),
    holdoutRows,
    timeout: flags.rewardTimeout,
  }, settings.rewardNormalisation);
  const read = async (path: string) => [basename(path), await Deno.readFile(path)] as const;
  const files = Object.fromEntries(await Promise.all(source.describedBy.map(read)));
  const companions = isEncoderDecoder
    ? retrievalFiles(source.sids, { maxHistory: source.maxHistory, normalisation })
    : Object.entries(files).filter(([name]) => /^(tokenizer|chat_template)/.test(name))
      .map(([name, bytes]) => ({ name, bytes }));
  const tensors = isEncoderDecoder
    ? [`${folder}/model.safetensors`]
    : [...(await Pretrained.open(folder, diskFiles)).paths];
  return {
    ...examples,
    source,
    holdoutRows,
    device,
    tensors,
    partsOf,
    ...partsOf(device, io.world),
    rewards,
    companions,
    files,
  };
}

/**
 * What probabilities are normalised over: of answers in words, unless another is asked for, the tokens that may follow.
 * Over the vocabulary the update would move what a model writes outside the texts of the catalogue, which no answer shows.
 */
function normalisationFor(
  { normalisation }: SidRun,
  { examples: { texts } }: RlTrainingSet,
  settings: RlConfig,
  io: TaskIO,
): TokenNormalisation {
  if (texts === undefined || settings.normalisation !== "auto" || normalisation === "children") {
    return normalisation;
  }
  io.log(
    "Note: --normalisation children, since answers in words drift with vocab; --normalisation vocab takes it nonetheless",
  );
  return "children";
}

/** Training of one architecture or the other. */
function trainerOf<M extends PolicyModel>(source: PolicySource<M>): Trainer {
  return {
    train: (input) => trainRl({ ...input, ...source }),
    rehearse: (input) => rehearseRl({ ...input, ...source }),
  };
}

/** What the run directory says of the run, and the files and settings that a resumed one must find as they were. */
async function recordOf(
  { source, holdoutRows, device, tensors, files, report }: RlWork,
  { run: parent, data, sids, prompts: words, maxHistory, checkpoint, adapter, variant, rewardTimeout }: Flags,
  settings: RlConfig,
  methods: readonly WeightedReward[],
) {
  const { dataset, prompts, normalisation, weights: { folder } } = source;
  const sources = [
    ...dataset.files,
    ...tensors,
    ...methods.flatMap(({ method, config }) => method.files?.(config) ?? []),
    ...[settings.rows, settings.preferences].filter((path) => path !== ""),
  ];
  const recorded = { ...settings, ...Object.assign({}, ...methods.map(({ config }) => config)) };
  const asked = { sids, prompts: words, maxHistory };
  const texts: Record<string, string | Uint8Array> = { "index.json": formatIndex(source.sids), ...files };
  // Those of the flag or the built-in ones too, which no file of the model tells.
  if (prompts.text) texts["prompts.json"] = JSON.stringify(prompts.text.prompts.templates, null, 2) + "\n";
  const manifest = await runManifest(device, dataset.name, sources, { task: "rl", seed: settings.seed });
  return {
    sources,
    recorded: recorded as Record<string, unknown>,
    texts,
    model: JSON.stringify(
      { ...source.settings, tasks: learned(source, report), data: source.data, normalisation },
      null,
      2,
    ) + "\n",
    manifest: { ...manifest, parent: { run: parent, checkpoint: basename(folder) } },
    dataset,
    sids: source.sids,
    config: {
      ...{ run: parent, data, holdoutRows, ...asked, checkpoint, adapter, variant, rewardTimeout },
      ...recorded,
    },
  };
}

/** Tasks of a run that learns those of `report` after its own; none where nobody knows its own. */
function learned(
  { settings: { tasks }, prompts: { text } }: SidRun,
  report: readonly TaskReport[],
): string[] {
  const { trained = [] } = text ?? {};
  const more = report.map(({ name }) => name).filter((name) => !trained.includes(name));
  return trained.length === 0 || more.length === 0 ? tasks : [...trained, ...more];
}

/** What of the training's input follows from what was read. */
function inputOf(
  { source, device, examples, rewards, trie, validation, companions }: RlWork,
  config: RlConfig,
) {
  const { dataset, prompts: { itemTokens }, normalisation } = source;
  const { train } = dataset.samples;
  return {
    device,
    examples,
    rewards,
    trie,
    itemTokens,
    train,
    validation,
    normalisation,
    config,
    companions,
  };
}

/** How a step went, beside the bar. */
function noteOf({ reward, hitGroups, kl, zeroVariance }: Diagnostics, { targets }: RlConfig): string {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const hits = targets === "none" ? "" : `hits ${percent(hitGroups)}, `;
  return `reward ${reward.toFixed(3)}, ${hits}equal ${percent(zeroVariance)}, KL ${kl.toFixed(4)}`;
}

/** Says whether the training helped, here and in `verdict.json`. */
async function judge(
  run: RunDirectory,
  state: RlState,
  sharing: Float64Array,
  { seed }: RlConfig,
  io: TaskIO,
): Promise<Verdict> {
  const told = verdict(state, sharing, seed);
  if (io.world.rank === 0) await run.write("verdict.json", JSON.stringify(told, null, 2) + "\n");
  io.log(told.text);
  return told;
}
