import type { RlExamples } from "../../data/packing/rl_examples.ts";
import type { Sample } from "../../data/dataset.ts";
import { UserError } from "../../base/user_error.ts";
import type { DeviceTrie } from "../../decode/device_trie.ts";
import { hitsAtK, mean, ndcgAtK } from "../../eval/metrics.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { TokenNormalisation } from "../../kernels/trie/trie_log_softmax.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import type { ModelFile } from "../../models/hugging_face/pretrained.ts";
import { DivergenceError, loadTrainer } from "../run/checkpoint.ts";
import { type ObjectiveMethod, policyObjective } from "./objectives/objective.ts";
import { objectiveMethod } from "./objectives/by_name.ts";
import { type MetricsObserver, scalarsOf } from "../observers/observer.ts";
import type { RewardSet } from "./reward_set.ts";
import { round } from "../../base/round.ts";
import type { RunDirectory } from "../run/run_directory.ts";
import { SignalListener } from "../run/signal_listener.ts";
import { optimizerOptions } from "../run/optimizer_options.ts";
import type { Validation } from "../run/validation.ts";
import type { RlConfig } from "./config.ts";
import { type Diagnostics, DiagnosticSums } from "./diagnostics.ts";
import { RlPlan } from "./plan.ts";
import { policyGroups } from "./policy/policy_groups.ts";
import type { PolicySource } from "./policy/policies.ts";
import type { PolicyModel, PolicyPacking } from "./policy/policy_batch.ts";
import { PolicyUpdate, type UpdateStatistics } from "./policy/policy_update.ts";
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
  openObserver?(firstStep: number): Promise<MetricsObserver>;
  /** Files that go with every checkpoint, such as those of the tokenizer. */
  companions: readonly ModelFile[];
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

/** What to train, on what, and how. */
export type RlInput<M extends PolicyModel> = RlRunInput & PolicySource<M>;

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

/**
 * Reinforcement learning of a policy on its own answers: rollouts, rewards, advantages, updates. A run that was stopped
 * and resumed gives the same bytes as one that was not. The weights before the first step take part in the choice of
 * the best checkpoint. Throws {@link DivergenceError} where the KL divergence or a gradient explodes.
 */
export async function trainRl<M extends PolicyModel>(input: RlInput<M>): Promise<RlResult> {
  const training = await RlTraining.open(input);
  try {
    return await training.run();
  } finally {
    await training.close();
  }
}

/** What a run computes with. */
interface RlParts<M extends PolicyModel> {
  policy: M;
  reference: ReferencePolicy<M>;
  rollout: Rollout;
  optimizer: Optimizer;
  update: PolicyUpdate<M>;
  observer: MetricsObserver | undefined;
}

/** One run, from wherever it stands to its end. */
class RlTraining<M extends PolicyModel> {
  #input: RlInput<M>;
  #parts: RlParts<M>;
  #plan: RlPlan;
  #objective: ObjectiveMethod;
  #state: RlState;
  #sums: DiagnosticSums;
  /** What the last update will say, until it is taken in. */
  #pending: Promise<UpdateStatistics> | undefined;
  #startedAt: number;
  #listener = new SignalListener();

  private constructor(input: RlInput<M>, parts: RlParts<M>, plan: RlPlan, state: RlState) {
    this.#input = input;
    this.#parts = parts;
    this.#plan = plan;
    this.#objective = objectiveMethod(input.config.loss);
    this.#state = state;
    this.#sums = new DiagnosticSums(input.rewards.names, state.sums);
    this.#startedAt = performance.now() - state.seconds * 1000;
  }

  /** Checks what can be checked before anything is written, and makes the parts. */
  static async open<M extends PolicyModel>(input: RlInput<M>): Promise<RlTraining<M>> {
    const { device, config, run, examples, trie, itemTokens, train, normalisation } = input;
    const plan = new RlPlan(examples, config);
    const answers = config.numGenerations + (config.sftLossWeight > 0 ? 1 : 0);
    const policy = await input.makePolicy();
    const rollout = new Rollout(device, policy, trie, itemTokens, train, normalisation, config);
    // After the rollout, whose check of the group size names the catalogue.
    checkPrompts(input, answers);
    const reference = await input.makeReference(policy);
    const optimizer = new Optimizer(policy.parameters, optimizerOptions(config));
    const state = input.resume ? await restored(run, optimizer, reference) : freshRlState();
    const update = policyUpdate(input, { policy, reference, optimizer }, answers);
    await input.onStart?.({
      steps: plan.total,
      done: state.step,
      parameters: policy.parameters.count,
      trained: policy.parameters.trainedCount,
    });
    const observer = await input.openObserver?.(state.step);
    return new RlTraining(
      input,
      { policy, reference, rollout, optimizer, update, observer },
      plan,
      state,
    );
  }

  /** Steps, validations and checkpoints until the end, a stop signal or too many validations without a better one. */
  async run(): Promise<RlResult> {
    const { config, signal } = this.#input;
    const { reference } = this.#parts;
    const state = this.#state;
    if ((state.validations === 0 || state.validationDue) && !signal.aborted) {
      await this.#save(await this.#validate());
    }
    while (state.step < this.#plan.total && !this.#isEarly && !signal.aborted) {
      await this.#step();
      const last = state.step === this.#plan.total;
      if (state.step % config.loggingSteps === 0 || last) await this.#logLine();
      if (config.refModelSyncSteps > 0 && state.step % config.refModelSyncSteps === 0) {
        await reference.sync(config.refModelMixupAlpha);
      }
      await this.#listener.listen();
      state.validationDue = last || state.step % config.evalSteps === 0;
      const isSave = state.step % (config.saveSteps || config.evalSteps) === 0;
      if (!state.validationDue && !isSave && !signal.aborted) continue;
      await this.#settle();
      const best = state.validationDue && !signal.aborted && await this.#validate();
      if (best || isSave || last || signal.aborted || this.#isEarly) await this.#save(best);
    }
    await this.#settle();
    const isInterrupted = state.validationDue || state.step < this.#plan.total && !this.#isEarly;
    return {
      stopped: isInterrupted ? "interrupted" : state.step === this.#plan.total ? "finished" : "early",
      steps: state.step,
      seconds: this.#seconds,
      state,
    };
  }

  /** Frees what the run made beside policy and optimizer. */
  async close(): Promise<void> {
    const { rollout, update, reference, observer } = this.#parts;
    rollout.destroy();
    update.destroy();
    reference.destroy();
    await observer?.close();
  }

  get #isEarly(): boolean {
    const { patience } = this.#input.config;
    return patience > 0 && (this.#state.best?.stale ?? 0) >= patience;
  }

  get #seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  /** A rollout and its updates, whose work is submitted. */
  async #step(): Promise<void> {
    const { config, rewards } = this.#input;
    const { rollout, update } = this.#parts;
    const state = this.#state;
    const { step } = state;
    const groups = await rollout.run(this.#plan.examples(step), step);
    // The update before has ended by now: its read costs no wait.
    await this.#settle();
    const scores = await Promise.all(groups.map((group) => rewards.score(group)));
    this.#sums.addGroups(groups.map((group, i) => ({ group, ...scores[i] })));
    const learned = policyGroups(groups, scores, rollout, this.#objective, config);
    // A policy that has collapsed has nothing to learn from, and the log should show it.
    this.#pending = learned.length > 0
      ? update.run(step, learned, this.#learningRate)
      : update.measure(policyGroups(groups, scores, rollout, this.#objective, {
        ...config,
        skipZeroVariance: false,
      }));
    state.step++;
  }

  /** Learning rate of the next step. */
  get #learningRate(): number {
    return this.#plan.learningRate(this.#state.step) * this.#state.learningRateScale;
  }

  /** Takes in what the last update said. Throws {@link DivergenceError} where it went too far. */
  async #settle(): Promise<void> {
    if (!this.#pending) return;
    const statistics = await this.#pending;
    this.#pending = undefined;
    this.#sums.addUpdate(statistics);
    const { bad, gradientNorm, kl, tokens } = statistics;
    const { maxKl } = this.#input.config;
    const divergence = kl / Math.max(1, tokens);
    if (!bad && divergence <= maxKl) return;
    const { step, best } = this.#state;
    await this.#log({ stopped: { kl: divergence, gradNorm: gradientNorm } });
    throw new DivergenceError(
      `Training stopped at step ${step}: the KL divergence from the reference is ${divergence} nats a token, the ` +
        `gradient norm ${gradientNorm}, expected at most ${maxKl} (--max-kl) and a finite norm. ` +
        (best ? `The best checkpoint so far, of step ${best.step}, is kept. ` : "") +
        "Start another run with a lower --learning-rate, a higher --beta or --target-kl",
    );
  }

  /** A line of the log; halves the learning rate where the KL divergence is above the one that is wanted. */
  async #logLine(): Promise<void> {
    const { onStep, onNote, config: { targetKl } } = this.#input;
    const state = this.#state;
    await this.#settle();
    const { kl } = this.#sums;
    const line = this.#sums.take();
    const learningRate = this.#plan.learningRate(state.step - 1) * state.learningRateScale;
    const epoch = round(state.step / this.#plan.perEpoch, 3);
    await this.#log({ epoch, ...line, learningRate, seconds: round(this.#seconds, 1) });
    onStep?.(state.step, { ...line, learningRate });
    if (targetKl === 0 || kl <= targetKl) return;
    state.learningRateScale /= 2;
    onNote?.(
      `step ${state.step}: KL ${
        kl.toFixed(4)
      } is above --target-kl ${targetKl}, so the learning rate is halved, ` +
        `now ${(learningRate / 2).toExponential(1)}`,
    );
  }

  /** Whether the validation ran and is the best so far. */
  async #validate(): Promise<boolean> {
    const { validation, signal, onValidation } = this.#input;
    const { policy, optimizer } = this.#parts;
    const state = this.#state;
    const found = await optimizer.withAverage(() => validation.ranks(policy, signal));
    if (!found) return false;
    const ndcg10 = mean(ndcgAtK(found, 10)), hr10 = mean(hitsAtK(found, 10));
    const ranks = found.map((rank) => rank ?? -1);
    const best = !state.best || ndcg10 > state.best.score;
    if (best) {
      state.best = { score: ndcg10, step: state.step, stale: 0 };
      state.bestRanks = ranks;
    } else {
      state.best!.stale++;
    }
    if (state.validations === 0) state.firstRanks = ranks;
    state.validations++;
    state.validationDue = false;
    await this.#log({ valid: { hr10, ndcg10 } });
    onValidation?.(state.step, ndcg10, hr10, best);
    return best;
  }

  async #save(best: boolean): Promise<void> {
    const { run, companions } = this.#input;
    const { policy, optimizer, reference } = this.#parts;
    const state = this.#state;
    state.seconds = this.#seconds;
    state.sums = this.#sums.toJSON();
    const { step, best: score, seconds, validationDue } = state;
    const moved = await reference.state();
    const files = this.#input.checkpoint({
      policy,
      optimizer,
      state: { step, best: score, seconds, validationDue, pending: { sums: [], shares: [] } },
      companions: [
        ...companions,
        { name: "rl.json", bytes: formatRlState(state) },
        ...(moved ? [{ name: "reference.safetensors", bytes: moved }] : []),
      ],
    });
    await run.saveCheckpoint(step, files, best);
  }

  async #log(entry: Record<string, unknown>): Promise<void> {
    const { step } = this.#state;
    await this.#input.run.log({ step, ...entry });
    await this.#parts.observer?.log(step, scalarsOf(entry));
  }
}

/** The state of the latest checkpoint, whose arrays are put back; a fresh one where there is none yet. */
async function restored(
  run: RunDirectory,
  optimizer: Optimizer,
  reference: Pick<ReferencePolicy<unknown>, "restore">,
): Promise<RlState> {
  let state = freshRlState();
  if (await run.hasCheckpoint()) {
    const folder = await run.checkpoint("latest");
    optimizer.restore((await loadTrainer(folder)).arrays, folder);
    const saved = await loadRlState(folder);
    state = saved.state;
    if (saved.reference) reference.restore(saved.reference, folder);
    if (state.best?.step === state.step) await run.markBest(state.step);
  }
  const { step, validationDue, validations } = state;
  // A run without a checkpoint starts again.
  await run.filterLog((entry) =>
    validations > 0 &&
    ((entry.step as number) < step || entry.step === step && !(validationDue && "valid" in entry))
  );
  return state;
}

function policyUpdate<M extends PolicyModel>(
  { device, config, trie, normalisation, packing }: RlInput<M>,
  { policy, reference, optimizer }: Pick<RlParts<M>, "policy" | "reference" | "optimizer">,
  answers: number,
): PolicyUpdate<M> {
  const { loss, beta, klEstimator, tokensPerBatch, promptsPerStep: prompts } = config;
  const { maxDepth } = trie.host;
  const method = objectiveMethod(loss);
  const objective = policyObjective(method, beta, maxDepth);
  return new PolicyUpdate(
    {
      device,
      policy,
      optimizer,
      reference,
      trie,
      packing,
      capacity: packing.capacityOf(maxDepth, { tokensPerBatch, prompts, answers }),
    },
    {
      ...config,
      objective: klEstimator === "auto" ? objective : { ...objective, kl: klEstimator },
      ratioAgainst: method.ratioAgainst,
      normalisation,
    },
  );
}

/** Throws {@link UserError} unless every prompt fits a micro batch with its answers. */
function checkPrompts(
  { examples, trie, packing, config: { tokensPerBatch } }:
    & Pick<
      RlRunInput,
      "examples" | "trie" | "config"
    >
    & { packing: Pick<PolicyPacking<unknown>, "sizeOf"> },
  answers: number,
): void {
  let longest = 0;
  for (let i = 0; i < examples.count; i++) longest = Math.max(longest, examples.make(i).prompt.length);
  const answer = new Uint32Array(trie.host.maxDepth);
  const completions = Array<Uint32Array>(answers).fill(answer);
  const { tokens } = packing.sizeOf({ prompt: new Uint32Array(longest), completions, nodes: completions });
  if (tokens <= tokensPerBatch) return;
  throw new UserError(
    `Cannot train: prompts have up to ${longest} tokens, with their answers ${tokens}, expected at most ` +
      `${tokensPerBatch}. Raise --tokens-per-batch, or lower --num-generations`,
  );
}
