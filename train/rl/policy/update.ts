import { branchOf } from "../../../base/parallel/tree_sum.ts";
import { ALONE, gatherJson, type World } from "../../../base/parallel/world.ts";
import { type GroupCapacity, planGroups } from "../../../data/packing/group_batches.ts";
import type { DeviceTrie } from "../../../decode/device_trie.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { POLICY_STATISTICS, policyLoss, type PolicyObjective } from "../../../kernels/policy/loss.ts";
import { Tape } from "../../../kernels/tape.ts";
import type { Flat } from "../../../kernels/gpu/tensor.ts";
import type { TokenNormalisation } from "../../../kernels/trie/log_softmax.ts";
import { GradientSum } from "../../../models/optimizer/gradient_sum.ts";
import type { LossScaling } from "../../../models/optimizer/loss_scaling.ts";
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
  /** Where matrices are float16: that of the optimizer. */
  scaling?: LossScaling;
  /** Absent: the KL divergence is neither computed nor part of the loss. */
  reference: Pick<ReferencePolicy<M>, "use"> | undefined;
  trie: DeviceTrie;
  /** How groups are laid out for such a policy. */
  packing: PolicyPacking<M>;
  /** Sizes of the largest micro batch; smaller ones are used where less is left. */
  capacity: GroupCapacity;
  /** Ranks that update equal policies with the same groups. Default: this one alone. */
  world?: World;
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
  /** Global norm of the last gradient before clipping; whether it overflowed, and whether no smaller loss scale helps. */
  gradientNorm: number;
  overflowed: boolean;
  bad: boolean;
  /** The loss scale from now on, and updates of the run that it has skipped by now, where there is one. */
  lossScale?: number;
  skipped?: number;
}

/**
 * What updates whose work is submitted will say, once it is done. All ranks ask for it, at the same place among what else
 * they do together.
 */
export type PendingStatistics = () => Promise<UpdateStatistics>;

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
  /** What the gradient of the loss itself starts from: with a loss scale, `scratch` has that times the scale. */
  starts: Pick<PolicyScratch, "coefficients" | "entropyCoefficients">;
  /** By the place of the micro batch among those of this rank in its step. */
  slots: Slot[];
}

/** Some groups of a step, and where they are computed. */
interface MicroBatch<M> {
  packed: PackedAnswers;
  sized: Sized<M>;
  slot: Slot;
}

/** The micro batches of a step that are this rank's. */
interface OwnBatches<M> {
  micro: MicroBatch<M>[];
  /** Number of the first of them among those of all ranks. */
  first: number;
  /** Ranks that have any: the first ones. */
  branches: number;
}

/** What the optimizer says of a gradient of 0. */
const NO_GRADIENT = new Float32Array(4);

/** Updates of a policy from groups of completions: the prompt of a group is computed once. */
export class PolicyUpdate<M extends PolicyModel> {
  #parts: PolicyUpdateParts<M>;
  #options: PolicyUpdateOptions;
  #sized: { capacity: GroupCapacity; made?: Sized<M> }[];
  #dropoutSeed: Flat;
  #gradients: GradientSum;
  #world: World;

  constructor(parts: PolicyUpdateParts<M>, options: PolicyUpdateOptions) {
    const { device, capacity, packing, policy, world = ALONE } = parts;
    this.#parts = parts;
    this.#world = world;
    const { parameters, layerGradients: layers } = policy;
    this.#gradients = new GradientSum(parameters, { microBatches: 1, world, layers });
    this.#options = options;
    this.#sized = SIZES.map((share) => ({ capacity: packing.partOf(capacity, share) }));
    this.#dropoutSeed = device.createFlat("u32", 4);
  }

  /** All updates of one rollout, of one group or more. Work is submitted; it waits for other ranks, where there are any. */
  async run(step: number, groups: readonly PolicyGroup[], learningRate: number): Promise<PendingStatistics> {
    const { device, optimizer, packing } = this.#parts;
    const { numIterations, entropyCoefficient, dropout: rate, seed } = this.#options;
    const { micro, first, branches } = this.#ownBatches(groups);
    const rows = groups.reduce((sum, group) => sum + packing.sizeOf(group).rows, 0);
    for (let iteration = 0; iteration < numIterations; iteration++) {
      const update = step * numIterations + iteration;
      optimizer.prepare(update, learningRate);
      if (micro.length === 0) this.#gradients.begin();
      micro.forEach(({ packed, sized, slot }, i) => {
        this.#gradients.begin();
        device.write(this.#dropoutSeed, new Uint32Array([seed, first + i, update, 1]));
        packed.upload();
        if (iteration === 0) this.#recordReference(sized, slot);
        if (entropyCoefficient > 0) {
          const each = new Float32Array(sized.batch.capacity.rows).fill(-entropyCoefficient / rows);
          device.write(sized.starts.entropyCoefficients, each);
        }
        const dropout = { rate, seed: this.#dropoutSeed };
        const tape = new Tape(
          device,
          true,
          (layer) => this.#gradients.addLayer(layer, i, micro.length),
        );
        this.#recordLoss(tape, sized, slot, { iteration, dropout });
        this.#gradients.add(i, micro.length);
      });
      await this.#gradients.reduce(branches);
      await optimizer.step();
    }
    return this.#statistics(micro, optimizer.gradientNorm);
  }

  /** What {@link run} would say of groups from which nothing is learned; weights and moments stay. */
  measure(groups: readonly PolicyGroup[]): PendingStatistics {
    const { micro } = this.#ownBatches(groups);
    for (const { packed, sized, slot } of micro) {
      packed.upload();
      this.#recordReference(sized, slot);
      this.#recordLoss(new Tape(this.#parts.device, false), sized, slot, { iteration: 0 });
    }
    return this.#statistics(micro);
  }

  /** Number of micro batches of an update of these groups. */
  countOf(groups: readonly PolicyGroup[]): number {
    const { capacity, packing } = this.#parts;
    return planGroups(groups, capacity, packing.sizeOf).length;
  }

  #ownBatches(groups: readonly PolicyGroup[]): OwnBatches<M> {
    const { capacity, packing } = this.#parts;
    const all = planGroups(groups, capacity, packing.sizeOf);
    const { first, end, branches } = branchOf(all.length, this.#world);
    const micro = all.slice(first, end).map((members, i) => {
      const own = members.map((number) => groups[number]);
      const sized = this.#sizeFor(own);
      return { packed: sized.batch.pack(own), sized, slot: this.#slot(sized, i) };
    });
    return { micro, first, branches };
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
    { batch, scratch, starts }: Sized<M>,
    slot: Slot,
    { iteration, dropout }: { iteration: number; dropout?: PolicyDropout },
  ): void {
    const { device, policy, reference, scaling } = this.#parts;
    const { objective, ratioAgainst, numIterations } = this.#options;
    device.scope(() => {
      batch.logProbs(tape, policy, { ...scratch, entropy: slot.entropy }, this.#logProbOptions, dropout);
      const { logProbs } = scratch;
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
        { coefficients: starts.coefficients, statistics: slot.statistics },
        objective,
      );
      if (scaling && tape.recording) {
        // All parts of the loss have one scale, or their shares would change.
        scaling.scale(starts.coefficients, scratch.coefficients);
        scaling.scale(starts.entropyCoefficients, scratch.entropyCoefficients);
      }
      tape.backward();
    });
  }

  /** Reads what the micro batches of a step came to, and the norm of the gradient where there is one. */
  #statistics(micro: readonly MicroBatch<M>[], gradientNorm?: Flat): PendingStatistics {
    const { device, optimizer, scaling } = this.#parts;
    const arrays = micro.flatMap(({ slot: { statistics, entropy } }) => [statistics, entropy]);
    const counts = micro.map(({ packed }) => packed.counts);
    const states = [...gradientNorm ? [gradientNorm] : [], ...scaling ? [scaling.flat] : []];
    const reading = device.read(...states, ...arrays);
    reading.catch(() => {}); // told by the one who asks
    return async () => {
      const read = await reading;
      const norm = gradientNorm ? read.shift()! : NO_GRADIENT;
      const [lossScale, , skipped] = scaling ? read.shift()! : [];
      const own = counts.map((count, i) => batchSums(read[2 * i], read[2 * i + 1], count));
      return {
        ...summary((await gatherJson(this.#world, own)).flat()),
        gradientNorm: norm[0],
        overflowed: norm[2] !== 0,
        bad: optimizer.hasDiverged(norm),
        ...(scaling && { lossScale, skipped }),
      };
    };
  }

  get #logProbOptions() {
    const { trie } = this.#parts;
    const { normalisation } = this.#options;
    return { normalisation, trie, tokens: { start: trie.minToken, end: trie.maxToken + 1 } };
  }

  /** The smallest size that holds the groups. */
  #sizeFor(groups: readonly PolicyGroup[]): Sized<M> {
    const { device, policy, packing, scaling } = this.#parts;
    const sizes = groups.map((group) => packing.sizeOf(group));
    const size = this.#sized.find(({ capacity }) => fits(sizes, capacity))!;
    if (!size.made) {
      const batch = packing.open(policy, size.capacity);
      const { rows, actions } = batch.capacity;
      const scratch = createPolicyScratch(device, rows, actions);
      const starts = scaling
        ? {
          coefficients: device.createFlat("f32", actions),
          entropyCoefficients: device.createFlat("f32", rows),
        }
        : scratch;
      size.made = { batch, scratch, starts, slots: [] };
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
    this.#gradients.destroy();
    for (const { made } of this.#sized) {
      if (!made) continue;
      made.batch.destroy();
      destroyPolicyScratch(device, made.scratch);
      if (made.starts !== made.scratch) {
        for (const flat of Object.values(made.starts)) device.destroy(flat);
      }
      for (const flat of made.slots.flatMap((slot) => Object.values(slot))) device.destroy(flat);
    }
  }
}

function fits(sizes: readonly Omit<GroupCapacity, "depth">[], capacity: GroupCapacity): boolean {
  return (["tokens", "rows", "actions", "completions"] as const).every((key) =>
    sizes.reduce((sum, size) => sum + size[key], 0) <= capacity[key]
  );
}

/** What a micro batch comes to. */
type BatchSums = Omit<UpdateStatistics, "gradientNorm" | "overflowed" | "bad" | "lossScale" | "skipped">;

function noSums(): BatchSums {
  return {
    policyLoss: 0,
    klLoss: 0,
    supervisedLoss: 0,
    kl: 0,
    clipped: 0,
    tokens: 0,
    entropy: 0,
    rows: 0,
    maxLogRatio: 0,
  };
}

function batchSums(
  statistics: Float32Array,
  entropy: Float32Array,
  { completions, rows }: PackedAnswers["counts"],
): BatchSums {
  const sums = noSums();
  const width = POLICY_STATISTICS.length;
  for (let c = 0; c < completions; c++) {
    const [policy, kl, k3, clipped, tokens, ratio, supervised] = statistics.subarray(
      width * c,
      width * (c + 1),
    );
    sums.policyLoss += policy;
    sums.klLoss += kl;
    sums.kl += k3;
    sums.clipped += clipped;
    sums.tokens += tokens;
    sums.maxLogRatio = Math.max(sums.maxLogRatio, ratio);
    sums.supervisedLoss += supervised;
  }
  // 0 in rows that chose nothing.
  for (const ofRow of entropy) sums.entropy += ofRow;
  sums.rows = rows;
  return sums;
}

/** Of all micro batches, in their order, so that any number of ranks has the same sums. */
function summary(batches: readonly BatchSums[]): BatchSums {
  const { maxLogRatio: _, ...sums } = noSums();
  for (const batch of batches) {
    for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += batch[key];
  }
  const maxLogRatio = Math.max(0, ...batches.map(({ maxLogRatio }) => maxLogRatio));
  return { ...sums, maxLogRatio };
}
