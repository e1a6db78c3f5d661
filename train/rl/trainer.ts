import { UserError } from "../../base/user_error.ts";
import type { RlExamples } from "../../data/packing/rl_examples.ts";
import type { Sample } from "../../data/dataset.ts";
import type { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { TokenNormalisation } from "../../kernels/trie/log_softmax.ts";
import { LossScaling } from "../../models/optimizer/loss_scaling.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import type { ModelFile } from "../../models/hugging_face/pretrained.ts";
import { type Stopped, train, type Training, type Validated } from "../../models/training/loop.ts";
import { branchOf } from "../../base/parallel/tree_sum.ts";
import { ALONE, type World } from "../../base/parallel/world.ts";
import { loadTrainer, valuesDigest } from "../run/checkpoint.ts";
import { DivergenceError } from "../run/divergence.ts";
import { type ObjectiveMethod, policyObjective } from "./objectives/objective.ts";
import { objectiveMethod } from "./objectives/by_name.ts";
import type { StartReports } from "../observers/observer.ts";
import type { GroupScore, RewardSet } from "./reward_set.ts";
import { MOST_TAUGHT } from "./rewards/reward.ts";
import { round } from "../../base/round.ts";
import type { RunDirectory, RunFiles } from "../run/directory.ts";
import { RunStore } from "../run/store.ts";
import { optimizerOptions, sharedMoments } from "../run/optimizer_options.ts";
import type { Validation } from "../run/validation.ts";
import { AnswerTries } from "./answer_tries.ts";
import { checkPrompts } from "./check_prompts.ts";
import { dealtRollout } from "./dealt_rollout.ts";
import type { RlConfig } from "./config.ts";
import { groupStatistics } from "./advantages.ts";
import { type Diagnostics, DiagnosticSums } from "./diagnostics.ts";
import { RlPlan } from "./plan.ts";
import { policyGroups } from "./policy/groups.ts";
import type { PolicySource } from "./policy/policies.ts";
import type { PolicyGroup, PolicyModel } from "./policy/batch.ts";
import { type PendingStatistics, PolicyUpdate } from "./policy/update.ts";
import type { ReferencePolicy } from "./policy/reference.ts";
import { Rollout } from "./rollout.ts";
import { formatRlState, freshRlState, loadRlState, type RlState } from "./state.ts";

/** On what to train, and how. */
export interface RlRunInput {
  /** Device to train on. */
  device: Device;
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
  normalisation: TokenNormalisation;
  /** Settings, complete and checked. */
  config: RlConfig;
  /** Where metrics and checkpoints are written. */
  run: RunDirectory;
  /** Continue from the latest checkpoint of `run`. */
  resume: boolean;
  /** Gets every line of `metrics.jsonl` too. */
  openObserver?: StartReports;
  /** Files that go with every checkpoint, such as those of the tokenizer. */
  companions: readonly ModelFile[];
  /** Stops the run after the current step, with a checkpoint; of several ranks, all of them. */
  signal: AbortSignal;
  /** Ranks that train together, each with this input and a policy of its own. Default: this one alone. */
  world?: World;
  /** Called once before the first step. */
  onStart?(facts: { steps: number; done: number; parameters: number; trained: number }): void | Promise<void>;
  /** Called after each line of the log. */
  onStep?(step: number, line: Diagnostics & { learningRate: number }): void;
  /** Called after each validation; `best` where it is the best so far. */
  onValidation?(step: number, ndcg10: number, hr10: number, best: boolean): void;
  /** Called where something changes that a user should know. */
  onNote?(message: string): void;
}

/** What to train, on what, and how. */
export type RlInput<M extends PolicyModel> = RlRunInput & PolicySource<M>;

/** How a run ended. */
export interface RlResult {
  /** Why it ended; `early`: validations stopped getting better. */
  stopped: Stopped;
  /** Steps of the whole run. */
  steps: number;
  /** Seconds of the whole run, resumed parts included. */
  seconds: number;
  /** Its state: ranks of the first and the best validation among others. */
  state: RlState;
}

/**
 * Reinforcement learning of a policy on its own answers, by {@link train}: rollouts, rewards, advantages, updates. A run
 * that was stopped and resumed gives the same bytes as one that was not. The weights before the first step take part in
 * the choice of the best checkpoint. Throws {@link DivergenceError} where the KL divergence or a gradient explodes.
 */
export async function trainRl<M extends PolicyModel>(input: RlInput<M>): Promise<RlResult> {
  const training = new RlTraining(input, await openParts(input));
  try {
    const { stopped, seconds, state } = await train(training);
    return { stopped, steps: state.step, seconds, state };
  } finally {
    training.destroy();
  }
}

/** What a run computes with. */
export interface RlParts<M extends PolicyModel> {
  plan: RlPlan;
  policy: M;
  reference: ReferencePolicy<M>;
  rollout: Rollout;
  optimizer: Optimizer;
  /** Where matrices are float16. */
  scaling: LossScaling | undefined;
  update: PolicyUpdate<M>;
  tries: AnswerTries;
}

/** Answers of a group that an update reads at most: those of the rollout, and those that the supervised loss adds. */
export function mostAnswers(
  { numGenerations, sftLossWeight, targets }: Pick<RlConfig, "numGenerations" | "sftLossWeight" | "targets">,
): number {
  const taught = targets === "none" ? MOST_TAUGHT : 1;
  return numGenerations + (sftLossWeight > 0 ? taught : 0);
}

/** Throws {@link UserError} where a supervised loss has neither targets nor anybody who teaches. */
function checkTeacher(
  { config: { targets, sftLossWeight }, rewards }: Pick<RlInput<PolicyModel>, "config" | "rewards">,
): void {
  if (targets !== "none" || sftLossWeight === 0 || rewards.teaches) return;
  throw new UserError(
    `Cannot use --sft-loss-weight ${sftLossWeight} with --targets none and the rewards ${
      rewards.names.join(", ")
    }: none ` +
      "of them tells what should be answered. Add --reward collaborative, or leave out --sft-loss-weight",
  );
}

/** Checks what can be checked before anything is written, and makes the parts. */
export async function openParts<M extends PolicyModel>(input: RlInput<M>): Promise<RlParts<M>> {
  const { device, config, examples, trie, itemTokens, train, normalisation } = input;
  checkTeacher(input);
  const tries = new AnswerTries(device, { trie, itemTokens }, examples.texts);
  const plan = new RlPlan(examples, config);
  const answers = mostAnswers(config);
  const policy = await input.makePolicy();
  const rollout = new Rollout(device, policy, tries, train, normalisation, config);
  // After the rollout, whose check of the group size names the catalogue.
  checkPrompts(input, tries, answers);
  const reference = await input.makeReference(policy);
  const scaling = LossScaling.of(device);
  const optimizer = new Optimizer(policy.parameters, optimizerOptions(config), {
    lossScaling: scaling,
    ...sharedMoments(config, input.world ?? ALONE),
  });
  const update = policyUpdate(input, { policy, reference, optimizer, scaling, tries }, answers);
  return { plan, policy, reference, rollout, optimizer, scaling, update, tries };
}

/** A validation, as the loop sees it. */
interface Measured extends Validated {
  valid: { hr10: number; ndcg10: number };
  /** Place of each sample's target, -1 where it was not found. */
  ranks: number[];
}

/** What is reinforcement learning's own in {@link train}. */
class RlTraining<M extends PolicyModel> implements Training<RlState, Measured> {
  readonly fresh = freshRlState();
  readonly plan: RlPlan;
  readonly patience: number;
  readonly signal: AbortSignal;
  readonly store: RunStore<RlState>;
  #input: RlInput<M>;
  #parts: RlParts<M>;
  #objective: ObjectiveMethod;
  #sums: DiagnosticSums;
  /** What the last update will say, until it is taken in. */
  #pending: PendingStatistics | undefined;
  #world: World;
  /** Aborted where any rank was told to stop, after the same step in all. */
  #stop = new AbortController();
  /** Whether it was said that ranks have nothing to do in an update. */
  #isIdleTold = false;

  constructor(input: RlInput<M>, parts: RlParts<M>) {
    const { config, signal, run, resume, openObserver, rewards, world = ALONE } = input;
    this.plan = parts.plan;
    this.patience = config.patience;
    this.#world = world;
    this.signal = world.size === 1 ? signal : this.#stop.signal;
    this.#input = input;
    this.#parts = parts;
    this.#objective = objectiveMethod(config.loss);
    this.#sums = new DiagnosticSums(rewards.names);
    this.store = new RunStore({
      run,
      resume,
      ranks: {
        world,
        digest: () => valuesDigest(parts.policy.parameters),
        makeTogether: config.zeroStage > 0,
      },
      openObserver,
      load: (folder) => this.#load(folder),
      files: (state) => this.#files(state),
    });
  }

  async onStart({ step, sums }: RlState): Promise<void> {
    const { rewards, onStart } = this.#input;
    const { count: parameters, trainedCount: trained } = this.#parts.policy.parameters;
    this.#sums = new DiagnosticSums(rewards.names, sums);
    await onStart?.({ steps: this.plan.total, done: step, parameters, trained });
  }

  /** A rollout and its updates, whose work is submitted. */
  async step(state: RlState): Promise<void> {
    const { config, rewards, signal } = this.#input;
    const { rollout, update, reference } = this.#parts;
    const { step } = state;
    const { groups, scores, isStopped } = await dealtRollout(
      {
        world: this.#world,
        rollout,
        rewards,
        isStopped: signal.aborted,
        // The update before has ended by now: its read costs no wait.
        onWritten: () => this.#settle(state),
      },
      this.plan.examples(step),
      step,
    );
    if (isStopped) this.#stop.abort();
    this.#sums.addGroups(groups.map((group, i) => ({ group, ...scores[i] })));
    await this.#checkAlike(state, scores);
    const learned = policyGroups(groups, scores, rollout, this.#objective, config);
    this.#tellIdle(step, learned);
    // A policy that has collapsed has nothing to learn from, and the log should show it.
    this.#pending = learned.length > 0
      ? await update.run(step, learned, this.#learningRate(step, state))
      : update.measure(policyGroups(groups, scores, rollout, this.#objective, {
        ...config,
        skipZeroVariance: false,
      }));
    const { refModelSyncSteps, refModelMixupAlpha } = config;
    if (refModelSyncSteps > 0 && (step + 1) % refModelSyncSteps === 0) {
      await reference.sync(refModelMixupAlpha);
    }
  }

  /** Halves the learning rate too, where the KL divergence is above the one that is wanted. */
  async log(state: RlState): Promise<void> {
    const { onStep, onNote, config: { targetKl } } = this.#input;
    const { step, seconds } = state;
    await this.#settle(state);
    const { kl } = this.#sums;
    const line = this.#sums.take();
    const learningRate = this.#learningRate(step - 1, state);
    const epoch = round(step / this.plan.perEpoch, 3);
    await this.store.log(step, { epoch, ...line, learningRate, seconds: round(seconds, 1) });
    onStep?.(step, { ...line, learningRate });
    if (targetKl === 0 || kl <= targetKl) return;
    state.learningRateScale /= 2;
    onNote?.(
      `step ${step}: KL ${kl.toFixed(4)} is above --target-kl ${targetKl}, so the learning rate is halved, ` +
        `now ${(learningRate / 2).toExponential(1)}`,
    );
  }

  async validate(state: RlState): Promise<Measured | undefined> {
    const { validation } = this.#input;
    const { policy, optimizer } = this.#parts;
    await this.#settle(state);
    const found = await optimizer.withAverage(() => validation.ranks(policy, this.signal));
    if (!found) return undefined;
    const valid = validation.qualityOf(found);
    return { score: valid.ndcg10, valid, ranks: found.map((rank) => rank ?? -1) };
  }

  onValidation(state: RlState, found: Measured | undefined, best: boolean): void {
    if (!found) return;
    const { ranks, valid: { hr10, ndcg10 } } = found;
    if (best) state.bestRanks = ranks;
    if (state.validations === 0) state.firstRanks = ranks;
    state.validations++;
    this.#input.onValidation?.(state.step, ndcg10, hr10, best);
  }

  /** Frees all that the run made. */
  destroy(): void {
    const { policy, rollout, update, reference, tries, scaling, optimizer } = this.#parts;
    for (const part of [rollout, update, reference, tries, scaling, optimizer, policy]) part?.destroy();
  }

  /**
   * Says so when a step has nothing to learn from, after one that had. Throws {@link DivergenceError} where too many
   * steps in a row have not.
   */
  async #checkAlike(state: RlState, scores: readonly GroupScore[]): Promise<void> {
    const { step, best } = state;
    const { collapseSteps } = this.#input.config;
    const alike = scores.every(({ total, normalised = total }) => groupStatistics(normalised).zeroVariance);
    state.alikeSteps = alike ? state.alikeSteps + 1 : 0;
    if (!alike) return;
    if (collapseSteps > 0 && state.alikeSteps >= collapseSteps) {
      await this.store.log(step, { stopped: { alikeSteps: state.alikeSteps } });
      throw new DivergenceError(
        `Training stopped at step ${
          step + 1
        }: in ${state.alikeSteps} steps in a row the answers of each group had one and ` +
          "the same reward, so there is nothing to learn from (--collapse-steps). " +
          (best ? `The best checkpoint so far, of step ${best.step}, is kept. ` : "") +
          "Start another run with more --num-generations, --add-target, a higher --beta, or a reward that tells answers apart",
      );
    }
    if (state.alikeSteps > 1) return;
    const unrewarded = scores.filter(({ total }) => total.every((value) => value === 0)).length;
    this.#input.onNote?.(
      `Warning: step ${step + 1}: in each of ${scores.length} groups all answers have the same reward` +
        (unrewarded > 0 ? `, in ${unrewarded} of them none at all` : "") +
        ". Such groups teach nothing: zeroVariance in metrics.jsonl is their share, unrewarded that of groups of zeros. " +
        "If this lasts, use more --num-generations, --add-target, or a reward that tells answers apart",
    );
  }

  /** Says so where an update has fewer micro batches than there are ranks to compute them. */
  #tellIdle(step: number, learned: readonly PolicyGroup[]): void {
    const { size } = this.#world;
    if (size === 1 || this.#isIdleTold) return;
    const count = this.#parts.update.countOf(learned);
    const { branches } = branchOf(count, this.#world);
    if (count === 0 || branches === size) return;
    this.#isIdleTold = true;
    this.#input.onNote?.(
      `Note: step ${
        step + 1
      }: the update has micro batches for ${branches} of ${size} processes, ${count} in all: more ` +
        "prompts a step (--prompts-per-step) or fewer tokens a micro batch (--tokens-per-batch) keep all of them busy",
    );
  }

  /** Learning rate of step `step`, from 0. */
  #learningRate(step: number, { learningRateScale }: RlState): number {
    return this.plan.learningRate(step) * learningRateScale;
  }

  /** Takes in what the last update said. Throws {@link DivergenceError} where it went too far. */
  async #settle({ step, best }: RlState): Promise<void> {
    if (!this.#pending) return;
    const statistics = await this.#pending();
    this.#pending = undefined;
    this.#sums.addUpdate(statistics);
    const { bad, gradientNorm, kl, tokens, lossScale } = statistics;
    const { maxKl } = this.#input.config;
    const divergence = kl / Math.max(1, tokens);
    if (!bad && divergence <= maxKl) return;
    await this.store.log(step, { stopped: { kl: divergence, gradNorm: gradientNorm } });
    throw new DivergenceError(
      `Training stopped at step ${step}: the KL divergence from the reference is ${divergence} nats a token, the ` +
        `gradient norm ${gradientNorm}, expected at most ${maxKl} (--max-kl) and a finite norm. ` +
        (best ? `The best checkpoint so far, of step ${best.step}, is kept. ` : "") +
        "Start another run with a lower --learning-rate, a higher --beta or --target-kl" +
        (lossScale === undefined ? "" : ", or --dtype float32"),
    );
  }

  async #load(folder: string): Promise<RlState> {
    const { optimizer, reference } = this.#parts;
    await optimizer.restore((await loadTrainer(folder)).arrays, folder);
    const { state, reference: moved } = await loadRlState(folder);
    if (moved) reference.restore(moved, folder);
    return state;
  }

  async #files(state: RlState): Promise<RunFiles> {
    const { companions, checkpoint } = this.#input;
    const { policy, optimizer, reference } = this.#parts;
    await this.#settle(state);
    await optimizer.gatherAverage();
    state.sums = this.#sums.toJSON();
    const { step, best, seconds, validationDue } = state;
    const moved = this.#world.rank === 0 ? await reference.state() : undefined; // the first one writes
    return checkpoint({
      policy,
      optimizer,
      state: { step, best, seconds, validationDue, pending: { sums: [], shares: [] } },
      companions: [
        ...companions,
        { name: "rl.json", bytes: formatRlState(state) },
        ...(moved ? [{ name: "reference.safetensors", bytes: moved }] : []),
      ],
    });
  }
}

function policyUpdate<M extends PolicyModel>(
  { device, config, normalisation, packing, world }: RlInput<M>,
  { policy, reference, optimizer, scaling, tries }: Pick<
    RlParts<M>,
    "policy" | "reference" | "optimizer" | "scaling" | "tries"
  >,
  answers: number,
): PolicyUpdate<M> {
  const { loss, beta, klEstimator, tokensPerBatch, promptsPerStep: prompts } = config;
  const { all: trie, longest } = tries;
  const method = objectiveMethod(loss);
  const objective = policyObjective(method, beta, longest);
  return new PolicyUpdate(
    {
      device,
      policy,
      optimizer,
      scaling,
      reference,
      trie,
      packing,
      world,
      capacity: packing.capacityOf(longest, { tokensPerBatch, prompts, answers }),
    },
    {
      ...config,
      objective: klEstimator === "auto" ? objective : { ...objective, kl: klEstimator },
      ratioAgainst: method.ratioAgainst,
      normalisation,
    },
  );
}
