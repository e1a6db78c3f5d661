import { type GroupCapacity, planGroups } from "../../../data/packing/group_batches.ts";
import type { DeviceTrie } from "../../../decode/device_trie.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { POLICY_STATISTICS, policyLoss, type PolicyObjective } from "../../../kernels/policy/loss.ts";
import { Tape } from "../../../kernels/tape.ts";
import type { Flat } from "../../../kernels/gpu/tensor.ts";
import type { TokenNormalisation } from "../../../kernels/trie/log_softmax.ts";
import type { Optimizer } from "../../../models/optimizer/optimizer.ts";
import {
  createPolicyScratch,
  destroyPolicyScratch,
  type PolicyScratch,
} from "../../../models/losses/policy_gradient.ts";
import type {
  PackedAnswers,
  PolicyBatch,
  PolicyDropout,
  PolicyGroup,
  PolicyModel,
  PolicyPacking,
} from "./batch.ts";
import type { ReferencePolicy } from "./reference.ts";

/** What an update computes with. */
export interface PolicyUpdateParts<M extends PolicyModel> {
  device: Device;
  policy: M;
  optimizer: Optimizer;
  /** Absent: the KL divergence is neither computed nor part of the loss. */
  reference: Pick<ReferencePolicy<M>, "use"> | undefined;
  trie: DeviceTrie;
  /** How groups are laid out for such a policy. */
  packing: PolicyPacking<M>;
  /** Sizes of the largest micro batch; smaller ones are used where less is left. */
  capacity: GroupCapacity;
}

/** How an update computes. */
export interface PolicyUpdateOptions {
  objective: PolicyObjective;
  /** What importance ratios are taken against: the policy that made the rollout, or the reference. */
  ratioAgainst: "old" | "reference";
  /** What probabilities are normalised over. */
  normalisation: TokenNormalisation;
  /** Updates a rollout. */
  numIterations: number;
  /** Weight of the entropy in the objective; the entropy of every row counts the same. */
  entropyCoefficient: number;
  dropout: number;
  seed: number;
}

/** Sums over an update, for the log. */
export interface UpdateStatistics {
  /** Policy loss, KL part (without its coefficient) and supervised part; the last of the updates of a rollout. */
  policyLoss: number;
  klLoss: number;
  supervisedLoss: number;
  /** Sum over tokens of the k3 estimate of the KL divergence from the reference, in nats. */
  kl: number;
  /** Tokens that were clipped, and all tokens. */
  clipped: number;
  tokens: number;
  /** Sum of the entropy of rows in which tokens were chosen, in nats, and these rows. */
  entropy: number;
  rows: number;
  /** Largest absolute log-ratio of a token. */
  maxLogRatio: number;
  /** Global norm of the gradient before clipping, and whether it was no finite number. */
  gradientNorm: number;
  bad: boolean;
}

/** Shares of a full micro batch that exist: a step seldom fills its last one, and every size takes memory. */
const SIZES = [1 / 4, 1 / 2, 3 / 4, 1];

/** What a micro batch keeps until the end of its step. */
interface Slot {
  old: Flat;
  reference: Flat;
  statistics: Flat;
  entropy: Flat;
}

/** Arrays of micro batches of one size. */
interface Sized<M> {
  batch: PolicyBatch<M>;
  scratch: PolicyScratch;
  /** By the place of the micro batch in its step. */
  slots: Slot[];
}

/** Some groups of a step, and where they are computed. */
interface MicroBatch<M> {
  packed: PackedAnswers;
  sized: Sized<M>;
  slot: Slot;
}

/** What the optimizer says of a gradient of 0. */
const NO_GRADIENT = new Float32Array(3);

/** Updates of a policy from groups of completions: the prompt of a group is computed once. */
export class PolicyUpdate<M extends PolicyModel> {
  #parts: PolicyUpdateParts<M>;
  #options: PolicyUpdateOptions;
  #sized: { capacity: GroupCapacity; made?: Sized<M> }[];
  #dropoutSeed: Flat;

  constructor(parts: PolicyUpdateParts<M>, options: PolicyUpdateOptions) {
    const { device, capacity, packing } = parts;
    this.#parts = parts;
    this.#options = options;
    this.#sized = SIZES.map((share) => ({ capacity: packing.partOf(capacity, share) }));
    this.#dropoutSeed = device.createFlat("u32", 4);
  }

  /** All updates of one rollout, of one group or more; work is submitted, and the statistics come when it is done. */
  run(step: number, groups: readonly PolicyGroup[], learningRate: number): Promise<UpdateStatistics> {
    const { device, policy, optimizer } = this.#parts;
    const { numIterations, entropyCoefficient, dropout: rate, seed } = this.#options;
    const micro = this.#microBatches(groups);
    const rows = micro.reduce((sum, { packed }) => sum + packed.counts.rows, 0);
    for (let iteration = 0; iteration < numIterations; iteration++) {
      const update = step * numIterations + iteration;
      optimizer.prepare(update, learningRate);
      policy.parameters.clearGradients();
      micro.forEach(({ packed, sized, slot }, i) => {
        device.write(this.#dropoutSeed, new Uint32Array([seed, i, update, 1]));
        packed.upload();
        if (iteration === 0) this.#recordReference(sized, slot);
        if (entropyCoefficient > 0) {
          const each = new Float32Array(sized.batch.capacity.rows).fill(-entropyCoefficient / rows);
          device.write(sized.scratch.entropyCoefficients, each);
        }
        const dropout = { rate, seed: this.#dropoutSeed };
        this.#recordLoss(new Tape(device, true), sized, slot, { iteration, dropout });
      });
      optimizer.step();
    }
    return this.#statistics(micro, optimizer.gradientNorm);
  }

  /** What {@link run} would say of groups from which nothing is learned; weights and moments stay. */
  measure(groups: readonly PolicyGroup[]): Promise<UpdateStatistics> {
    const micro = this.#microBatches(groups);
    for (const { packed, sized, slot } of micro) {
      packed.upload();
      this.#recordReference(sized, slot);
      this.#recordLoss(new Tape(this.#parts.device, false), sized, slot, { iteration: 0 });
    }
    return this.#statistics(micro);
  }

  #microBatches(groups: readonly PolicyGroup[]): MicroBatch<M>[] {
    const { capacity, packing } = this.#parts;
    return planGroups(groups, capacity, packing.sizeOf).map((members, i) => {
      const own = members.map((number) => groups[number]);
      const sized = this.#sizeFor(own);
      return { packed: sized.batch.pack(own), sized, slot: this.#slot(sized, i) };
    });
  }

  /** Records log-probabilities of the reference for what was uploaded last. */
  #recordReference({ batch, scratch }: Sized<M>, slot: Slot): void {
    const { device, reference } = this.#parts;
    if (!reference) return;
    const own = { ...scratch, logProbs: slot.reference };
    device.scope(() =>
      reference.use((model) => batch.logProbs(new Tape(device, false), model, own, this.#logProbOptions))
    );
  }

  /** Records forward and, on a tape that records, backward of what was uploaded last. */
  #recordLoss(
    tape: Tape,
    { batch, scratch }: Sized<M>,
    slot: Slot,
    { iteration, dropout }: { iteration: number; dropout?: PolicyDropout },
  ): void {
    const { device, policy, reference } = this.#parts;
    const { objective, ratioAgainst, numIterations } = this.#options;
    device.scope(() => {
      batch.logProbs(tape, policy, { ...scratch, entropy: slot.entropy }, this.#logProbOptions, dropout);
      const { logProbs, coefficients } = scratch;
      if (iteration === 0 && numIterations > 1) device.copy(logProbs, slot.old);
      const old = iteration === 0 ? logProbs : slot.old;
      const { completions, advantages, weights, supervised } = batch.flats;
      policyLoss(
        device,
        {
          completions,
          depth: batch.capacity.depth,
          logProbs,
          oldLogProbs: ratioAgainst === "reference" ? slot.reference : old,
          referenceLogProbs: reference ? slot.reference : logProbs,
          advantages,
          weights,
          supervised,
        },
        { coefficients, statistics: slot.statistics },
        objective,
      );
      tape.backward();
    });
  }

  /** Reads what the micro batches of a step came to, and the norm of the gradient where there is one. */
  #statistics(micro: readonly MicroBatch<M>[], gradientNorm?: Flat): Promise<UpdateStatistics> {
    const arrays = micro.flatMap(({ slot: { statistics, entropy } }) => [statistics, entropy]);
    const counts = micro.map(({ packed }) => packed.counts);
    const { device } = this.#parts;
    if (!gradientNorm) return device.read(...arrays).then((read) => summary(NO_GRADIENT, read, counts));
    return device.read(gradientNorm, ...arrays).then(([norm, ...read]) => summary(norm, read, counts));
  }

  get #logProbOptions() {
    const { trie } = this.#parts;
    const { normalisation } = this.#options;
    return { normalisation, trie, tokens: { start: trie.minToken, end: trie.maxToken + 1 } };
  }

  /** The smallest size that holds the groups. */
  #sizeFor(groups: readonly PolicyGroup[]): Sized<M> {
    const { device, policy, packing } = this.#parts;
    const sizes = groups.map((group) => packing.sizeOf(group));
    const size = this.#sized.find(({ capacity }) => fits(sizes, capacity))!;
    if (!size.made) {
      const batch = packing.open(policy, size.capacity);
      const { rows, actions } = batch.capacity;
      size.made = { batch, scratch: createPolicyScratch(device, rows, actions), slots: [] };
    }
    return size.made;
  }

  #slot({ slots, batch }: Sized<M>, i: number): Slot {
    const { device } = this.#parts;
    const { actions, rows, completions } = batch.capacity;
    return slots[i] ??= {
      old: device.createFlat("f32", actions),
      reference: device.createFlat("f32", actions),
      statistics: device.createFlat("f32", POLICY_STATISTICS.length * completions),
      entropy: device.createFlat("f32", rows),
    };
  }

  /** Frees its arrays. */
  destroy(): void {
    const { device } = this.#parts;
    device.destroy(this.#dropoutSeed);
    for (const { made } of this.#sized) {
      if (!made) continue;
      made.batch.destroy();
      destroyPolicyScratch(device, made.scratch);
      for (const flat of made.slots.flatMap((slot) => Object.values(slot))) device.destroy(flat);
    }
  }
}

function fits(sizes: readonly Omit<GroupCapacity, "depth">[], capacity: GroupCapacity): boolean {
  return (["tokens", "rows", "actions", "completions"] as const).every((key) =>
    sizes.reduce((sum, size) => sum + size[key], 0) <= capacity[key]
  );
}

function summary(
  norm: Float32Array,
  read: readonly Float32Array[],
  counts: readonly PackedAnswers["counts"][],
): UpdateStatistics {
  const result: UpdateStatistics = {
    policyLoss: 0,
    klLoss: 0,
    supervisedLoss: 0,
    kl: 0,
    clipped: 0,
    tokens: 0,
    entropy: 0,
    rows: 0,
    maxLogRatio: 0,
    gradientNorm: norm[0],
    bad: norm[2] !== 0,
  };
  counts.forEach(({ completions, rows }, i) => {
    const [statistics, entropy] = read.slice(2 * i, 2 * i + 2);
    const width = POLICY_STATISTICS.length;
    for (let c = 0; c < completions; c++) {
      const [policy, kl, k3, clipped, tokens, ratio, supervised] = statistics.subarray(
        width * c,
        width * (c + 1),
      );
      result.policyLoss += policy;
      result.klLoss += kl;
      result.kl += k3;
      result.clipped += clipped;
      result.tokens += tokens;
      result.maxLogRatio = Math.max(result.maxLogRatio, ratio);
      result.supervisedLoss += supervised;
    }
    // 0 in rows that chose nothing.
    for (const ofRow of entropy) result.entropy += ofRow;
    result.rows += rows;
  });
  return result;
}
