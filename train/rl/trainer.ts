import type { RlExample, RlExamples } from "../../data/rl_examples.ts";
import type { Sample } from "../../data/dataset.ts";
import { UserError } from "../../data/user_error.ts";
import type { DeviceTrie } from "../../eval/device_trie.ts";
import { hitsAtK, mean, ndcgAtK, type Rank } from "../../eval/metrics.ts";
import type { Device } from "../../kernels/device.ts";
import type { Normalisation } from "../../kernels/trie_log_softmax.ts";
import type { Decoder } from "../../models/decoder.ts";
import { Optimizer } from "../../models/optimizer.ts";
import type { ModelFile } from "../../models/pretrained.ts";
import { learningRateAt, type Schedule } from "../../models/schedule.ts";
import { checkpointFiles, DivergenceError, loadTrainer } from "../checkpoint.ts";
import { policyObjective } from "../objectives/objective.ts";
import { objectiveMethod } from "../objectives/registry.ts";
import { type MetricsObserver, scalarsOf } from "../observers/observer.ts";
import type { RewardSet } from "../rewards/reward_set.ts";
import type { RunDirectory } from "../run_directory.ts";
import { optimizerOptions } from "../sft.ts";
import type { Validation } from "../validation.ts";
import type { RlConfig } from "./config.ts";
import { type Diagnostics, DiagnosticSums } from "./diagnostics.ts";
import { policyGroups } from "./policy_groups.ts";
import { PolicyUpdate, updateCapacity, type UpdateStatistics } from "./policy_update.ts";
import type { ReferencePolicy } from "./reference.ts";
import { Rollout } from "./rollout.ts";
import { formatRlState, freshState, loadRlState, type RlState } from "./state.ts";

/** What to train, on what, and how. */
export interface RlInput {
  /** Device to train on. */
  device: Device;
  /** Makes the policy; its weights on a resume are those of a checkpoint. */
  makePolicy(): Promise<Decoder>;
  /** Makes what the KL divergence is measured from. */
  makeReference(policy: Decoder): Promise<ReferencePolicy>;
  /** What to ask. */
  examples: RlExamples;
  /** What answers are worth. */
  rewards: RewardSet;
  /** The SIDs. */
  trie: DeviceTrie;
  /** Token ids of each item's SID. */
  itemTokens: readonly Uint32Array[];
  /** Train split: which of the items that share a SID comes first. */
  train: readonly Sample[];
  /** Measures the policy, before the first step too. */
  validation: Validation;
  /** What probabilities are normalised over. */
  normalisation: Normalisation;
  /** Settings, complete and checked. */
  config: RlConfig;
  /** Where metrics and checkpoints are written. */
  run: RunDirectory;
  /** Continue from the latest checkpoint of `run`. */
  resume: boolean;
  /** Gets every line of `metrics.jsonl` too. */
  openObserver?(firstStep: number): Promise<MetricsObserver>;
  /** Files that go with every checkpoint, such as those of the tokenizer. */
  companions: readonly ModelFile[];
  /** Name or directory of the model below the adapters, where there are any. */
  baseModel: string;
  /** Stops the run after the current step, with a checkpoint. */
  signal: AbortSignal;
  /** Called once before the first step. */
  onStart?(facts: { steps: number; done: number; parameters: number; trained: number }): void | Promise<void>;
  /** Called after each line of the log. */
  onStep?(step: number, line: Diagnostics & { learningRate: number }): void;
  /** Called after each validation; `best` where it is the best so far. */
  onValidation?(step: number, ndcg10: number, hr10: number, best: boolean): void;
  /** Called where something changes that a user should know. */
  onNote?(message: string): void;
}

/** How a run ended. */
export interface RlResult {
  /** Why it ended; `early`: validations stopped getting better. */
  stopped: "finished" | "interrupted" | "early";
  /** Steps of the whole run. */
  steps: number;
  /** Seconds of the whole run, resumed parts included. */
  seconds: number;
  /** Its state: ranks of the first and the best validation among others. */
  state: RlState;
}

// The event loop hears of signals only when the loop waits for a timer.
const LISTEN_EVERY = 50;

/**
 * Reinforcement learning of a policy on its own answers: rollouts, rewards, advantages, updates. A run that was stopped
 * and resumed gives the same bytes as one that was not. The weights before the first step take part in the choice of
 * the best checkpoint. Throws {@link DivergenceError} where the KL divergence or a gradient explodes.
 */
export async function trainRl(input: RlInput): Promise<RlResult> {
  const { device, config, run, signal, examples, rewards, trie, validation } = input;
  const chosen = objectiveMethod(config.loss);
  const { promptsPerStep, numTrainEpochs, maxSteps, numGenerations } = config;
  if (examples.count === 0) throw new UserError("Cannot train: there are no examples. Choose other --tasks");
  const answers = numGenerations + (config.sftLossWeight > 0 ? 1 : 0);
  checkPrompts(examples, answers * (trie.host.maxDepth - 1), config.tokensPerBatch);
  const perEpoch = Math.ceil(examples.order(0, config.seed).length / promptsPerStep);
  const total = maxSteps > 0 ? Math.min(maxSteps, perEpoch * numTrainEpochs) : perEpoch * numTrainEpochs;
  const schedule: Schedule = {
    name: config.lrSchedulerType,
    learningRate: config.learningRate,
    warmupSteps: Math.ceil(config.warmupRatio * total),
    totalSteps: total,
    minRatio: 0,
  };

  const policy = await input.makePolicy();
  const rollout = new Rollout(
    device,
    policy,
    trie,
    input.itemTokens,
    input.train,
    input.normalisation,
    config,
  );
  const reference = await input.makeReference(policy);
  const optimizer = new Optimizer(policy.parameters, optimizerOptions(config));
  let state = freshState();
  if (input.resume && await run.hasCheckpoint()) {
    const folder = await run.checkpoint("latest");
    optimizer.restore((await loadTrainer(folder)).arrays, folder);
    const saved = await loadRlState(folder);
    state = saved.state;
    if (saved.reference) reference.restore(saved.reference, folder);
    if (state.best && state.best.step === state.step) await run.markBest(state.step);
  }
  if (input.resume) {
    const { step, validationDue, validations } = state;
    // A run without a checkpoint starts again.
    await run.filterLog((entry) =>
      validations > 0 &&
      ((entry.step as number) < step || entry.step === step && !(validationDue && "valid" in entry))
    );
  }
  const update = new PolicyUpdate(
    {
      device,
      decoder: policy,
      optimizer,
      reference,
      trie,
      capacity: updateCapacity(trie.host.maxDepth, {
        tokensPerBatch: config.tokensPerBatch,
        prompts: promptsPerStep,
        answers,
      }),
    },
    {
      objective: {
        ...policyObjective(chosen, config.beta, trie.host.maxDepth),
        ...(config.klEstimator === "auto" ? {} : { kl: config.klEstimator }),
      },
      ratioAgainst: chosen.ratioAgainst,
      normalisation: input.normalisation,
      numIterations: config.numIterations,
      entropyCoefficient: config.entropyCoefficient,
      dropout: config.dropout,
      seed: config.seed,
    },
  );
  await input.onStart?.({
    steps: total,
    done: state.step,
    parameters: policy.parameters.count,
    trained: policy.parameters.trainedCount,
  });

  const observer = await input.openObserver?.(state.step);
  const sums = new DiagnosticSums(rewards.names, state.sums);
  const log = async (entry: Record<string, unknown>) => {
    await run.log({ step: state.step, ...entry });
    await observer?.log(state.step, scalarsOf(entry));
  };
  const startedAt = performance.now() - state.seconds * 1000;
  const save = async (best: boolean) => {
    state.seconds = (performance.now() - startedAt) / 1000;
    state.sums = sums.toJSON();
    const { step, best: score, seconds, validationDue } = state;
    const trainer = { step, best: score, seconds, validationDue, pending: { sums: [], shares: [] } };
    const moved = await reference.state();
    const files = checkpointFiles({
      decoder: policy,
      optimizer,
      state: trainer,
      companions: [
        ...input.companions,
        { name: "rl.json", bytes: formatRlState(state) },
        ...(moved ? [{ name: "reference.safetensors", bytes: moved }] : []),
      ],
      baseModel: input.baseModel,
    });
    await run.saveCheckpoint(step, files, best);
  };
  /** Whether the validation ran and is the best so far. */
  const validate = async () => {
    const ranks = await optimizer.withAverage(() => validation.ranks(policy, signal));
    if (!ranks) return false;
    const ndcg10 = mean(ndcgAtK(ranks, 10)), hr10 = mean(hitsAtK(ranks, 10));
    const best = !state.best || ndcg10 > state.best.score;
    if (best) {
      state.best = { score: ndcg10, step: state.step, stale: 0 };
      state.bestRanks = compact(ranks);
    } else {
      state.best!.stale++;
    }
    if (state.step === 0) state.firstRanks = compact(ranks);
    state.validations++;
    state.validationDue = false;
    await log({ valid: { hr10, ndcg10 } });
    input.onValidation?.(state.step, ndcg10, hr10, best);
    return best;
  };
  const isEarly = () => config.patience > 0 && (state.best?.stale ?? 0) >= config.patience;

  if (state.step === 0 && state.validations === 0 || state.validationDue) {
    const best = !signal.aborted && await validate();
    if (!signal.aborted) await save(best);
  }
  let listenedAt = performance.now();
  let pending: Promise<UpdateStatistics | undefined> = Promise.resolve(undefined);
  let isPending = false;
  /** Takes in what the last update said. */
  const settle = async () => {
    if (!isPending) return;
    isPending = false;
    const statistics = await pending;
    sums.addUpdate(statistics);
    if (statistics) await checkUpdate(statistics);
  };
  const checkUpdate = async ({ bad, gradientNorm, kl, tokens }: UpdateStatistics) => {
    const divergence = kl / Math.max(1, tokens);
    if (!bad && divergence <= config.maxKl) return;
    const kept = state.best ? `The best checkpoint so far, of step ${state.best.step}, is kept` : "";
    await log({ stopped: { kl: divergence, gradNorm: gradientNorm } });
    throw new DivergenceError(
      `Training stopped at step ${state.step}: the KL divergence from the reference is ${divergence} nats a token, the ` +
        `gradient norm ${gradientNorm}, expected at most ${config.maxKl} (--max-kl) and a finite norm. ${kept}. ` +
        "Start another run with a lower --learning-rate, a higher --beta or --target-kl",
    );
  };

  let epoch = -1;
  let order: Uint32Array = new Uint32Array();
  while (state.step < total && !isEarly() && !signal.aborted) {
    const { step } = state;
    if (Math.floor(step / perEpoch) !== epoch) {
      epoch = Math.floor(step / perEpoch);
      order = examples.order(epoch, config.seed);
    }
    const first = step % perEpoch * promptsPerStep;
    const asked: RlExample[] = Array.from(
      order.subarray(first, first + promptsPerStep),
      (i) => examples.make(i),
    );
    const groups = await rollout.run(asked, step);
    // The update before has ended by now: its read costs no wait.
    await settle();
    const scores = await Promise.all(groups.map((group) => rewards.score(group)));
    sums.addGroups(groups.map((group, i) => ({ group, ...scores[i] })));
    const learningRate = learningRateAt(step, schedule) * state.learningRateScale;
    pending = update.run(step, policyGroups(groups, scores, rollout, chosen, config), learningRate);
    isPending = true;
    state.step++;

    const last = state.step === total;
    if (state.step % config.loggingSteps === 0 || last) {
      await settle();
      const { kl } = sums;
      const line = sums.take(true);
      await log({
        epoch: Number((state.step / perEpoch).toFixed(3)),
        ...line,
        learningRate,
        seconds: Number(((performance.now() - startedAt) / 1000).toFixed(1)),
      });
      input.onStep?.(state.step, { ...line, learningRate });
      if (config.targetKl > 0 && kl > config.targetKl) {
        state.learningRateScale /= 2;
        input.onNote?.(
          `step ${state.step}: KL ${
            kl.toFixed(4)
          } is above --target-kl ${config.targetKl}, so the learning rate is ` +
            `halved, now ${(learningRate / 2).toExponential(1)}`,
        );
      }
    }
    if (config.refModelSyncSteps > 0 && state.step % config.refModelSyncSteps === 0) {
      await reference.sync(config.refModelMixupAlpha);
    }
    if (performance.now() - listenedAt > LISTEN_EVERY) {
      await new Promise((resume) => setTimeout(resume, 0));
      listenedAt = performance.now();
    }
    state.validationDue = last || state.step % config.evalSteps === 0;
    const due = state.validationDue || state.step % (config.saveSteps || config.evalSteps) === 0;
    if (due || signal.aborted) await settle();
    const best = state.validationDue && !signal.aborted && await validate();
    if (due || best || isEarly() || signal.aborted) await save(best);
  }
  await settle();
  rollout.destroy();
  update.destroy();
  reference.destroy();
  await observer?.close();
  return {
    stopped: state.validationDue || state.step < total && !isEarly()
      ? "interrupted"
      : state.step === total
      ? "finished"
      : "early",
    steps: state.step,
    seconds: (performance.now() - startedAt) / 1000,
    state,
  };
}

/** Throws {@link UserError} unless every prompt fits a micro batch with its answers, which take `branches` tokens. */
function checkPrompts(examples: RlExamples, branches: number, tokensPerBatch: number): void {
  let longest = 0;
  for (let i = 0; i < examples.count; i++) longest = Math.max(longest, examples.make(i).prompt.length);
  if (longest + branches <= tokensPerBatch) return;
  throw new UserError(
    `Cannot train: prompts have up to ${longest} tokens, with their answers ${
      longest + branches
    }, expected at most ` +
      `${tokensPerBatch}. Raise --tokens-per-batch, or lower --num-generations`,
  );
}

/** Ranks for a checkpoint: -1 where the target was not found. */
function compact(ranks: readonly Rank[]): number[] {
  return ranks.map((rank) => rank ?? -1);
}
