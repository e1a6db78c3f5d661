import {
  type CompletionGroup,
  type GroupBatch,
  type GroupCapacity,
  groupSize,
  NO_ACTION,
  packGroups,
  planGroups,
} from "../../data/group_batches.ts";
import type { DeviceTrie } from "../../eval/device_trie.ts";
import type { Device } from "../../kernels/device.ts";
import { POLICY_STATISTICS, policyLoss, type PolicyObjective } from "../../kernels/policy_loss.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/tensor.ts";
import type { Normalisation } from "../../kernels/trie_log_softmax.ts";
import type { Decoder, DecoderDropout } from "../../models/decoder.ts";
import type { Optimizer } from "../../models/optimizer.ts";
import { type ActionValues, type PackedGroups, PackedGroupsBuffer } from "../../models/packed_groups.ts";
import {
  actionLogProbs,
  createPolicyScratch,
  destroyPolicyScratch,
  type PolicyScratch,
} from "../../models/policy_gradient.ts";
import type { ReferencePolicy } from "./reference.ts";

/** A group as the update learns from it. */
export interface PolicyGroup extends CompletionGroup {
  /** Advantage of each token of each completion. */
  advantages: readonly ArrayLike<number>[];
  /** Share of each token of each completion in the loss. */
  weights: ArrayLike<number>;
  /** Weight of the negative log-probability of each token of each completion. */
  supervised: ArrayLike<number>;
}

/** What an update computes with. */
export interface PolicyUpdateParts {
  device: Device;
  decoder: Decoder;
  optimizer: Optimizer;
  /** Absent: the KL divergence is neither computed nor part of the loss. */
  reference: ReferencePolicy | undefined;
  trie: DeviceTrie;
  /** Sizes of the largest micro batch; smaller ones are used where less is left. */
  capacity: GroupCapacity;
}

/** How an update computes. */
export interface PolicyUpdateOptions {
  objective: PolicyObjective;
  /** What importance ratios are taken against: the policy that made the rollout, or the reference. */
  ratioAgainst: "old" | "reference";
  /** What probabilities are normalised over. */
  normalisation: Normalisation;
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
interface Sized {
  buffer: PackedGroupsBuffer;
  scratch: PolicyScratch;
  /** By the place of the micro batch in its step. */
  slots: Slot[];
}

/** Some groups of a step, and where they are computed. */
interface MicroBatch {
  batch: GroupBatch;
  values: ActionValues;
  sized: Sized;
  slot: Slot;
}

/** What the optimizer says of a gradient of 0. */
const NO_GRADIENT = new Float32Array(3);

/** Updates of a policy from groups of completions, each group a packed tree: its prompt is computed once. */
export class PolicyUpdate {
  #parts: PolicyUpdateParts;
  #options: PolicyUpdateOptions;
  #sized: { capacity: GroupCapacity; made?: Sized }[];
  #dropoutSeed: Flat;

  constructor(parts: PolicyUpdateParts, options: PolicyUpdateOptions) {
    const { device, capacity } = parts;
    this.#parts = parts;
    this.#options = options;
    this.#sized = SIZES.map((share) => ({ capacity: partOf(capacity, share) }));
    this.#dropoutSeed = device.createFlat("u32", 4);
  }

  /** All updates of one rollout, of one group or more; work is submitted, and the statistics come when it is done. */
  run(step: number, groups: readonly PolicyGroup[], learningRate: number): Promise<UpdateStatistics> {
    const { device, decoder, optimizer } = this.#parts;
    const { numIterations, entropyCoefficient, dropout: rate, seed } = this.#options;
    const micro = this.#microBatches(groups);
    const rows = micro.reduce((sum, { batch }) => sum + batch.counts.rows, 0);
    for (let iteration = 0; iteration < numIterations; iteration++) {
      const update = step * numIterations + iteration;
      optimizer.prepare(update, learningRate);
      decoder.parameters.clearGradients();
      micro.forEach(({ batch, values, sized, slot }, i) => {
        device.write(this.#dropoutSeed, new Uint32Array([seed, i, update, 1]));
        sized.buffer.write(batch, values);
        if (iteration === 0) this.#recordReference(sized, slot);
        if (entropyCoefficient > 0) {
          const each = new Float32Array(sized.buffer.packed.nodes.length).fill(-entropyCoefficient / rows);
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
    for (const { batch, values, sized, slot } of micro) {
      sized.buffer.write(batch, values);
      this.#recordReference(sized, slot);
      this.#recordLoss(new Tape(this.#parts.device, false), sized, slot, { iteration: 0 });
    }
    return this.#statistics(micro);
  }

  #microBatches(groups: readonly PolicyGroup[]): MicroBatch[] {
    return planGroups(groups, this.#parts.capacity).map((members, i) => {
      const own = members.map((number) => groups[number]);
      const { capacity, sized } = this.#sizeFor(own);
      const batch = packGroups(own, capacity);
      return { batch, values: actionValues(own, batch, capacity), sized, slot: this.#slot(sized, i) };
    });
  }

  /** Records log-probabilities of the reference for the batch in the buffer. */
  #recordReference({ buffer: { packed }, scratch }: Sized, slot: Slot): void {
    const { device, reference } = this.#parts;
    if (!reference) return;
    device.scope(() => {
      const hidden = reference.targetHidden(packed);
      const own = { ...scratch, logProbs: slot.reference };
      this.#logProbs(new Tape(device, false), reference.decoder, packed, hidden, own);
    });
  }

  /** Records forward and, on a tape that records, backward of the batch in the buffer. */
  #recordLoss(
    tape: Tape,
    { buffer, scratch }: Sized,
    slot: Slot,
    { iteration, dropout }: { iteration: number; dropout?: DecoderDropout },
  ): void {
    const { device, decoder, reference } = this.#parts;
    const { objective, ratioAgainst, numIterations } = this.#options;
    const { packed } = buffer;
    device.scope(() => {
      const hidden = decoder.targetHidden(tape, packed, dropout);
      this.#logProbs(tape, decoder, packed, hidden, { ...scratch, entropy: slot.entropy });
      const { logProbs, coefficients } = scratch;
      if (iteration === 0 && numIterations > 1) device.copy(logProbs, slot.old);
      const old = iteration === 0 ? logProbs : slot.old;
      const { completions, advantages, weights, supervised } = packed;
      policyLoss(
        device,
        {
          completions,
          depth: buffer.capacity.depth,
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
  #statistics(micro: readonly MicroBatch[], gradientNorm?: Flat): Promise<UpdateStatistics> {
    const arrays = micro.flatMap(({ slot: { statistics, entropy } }) => [statistics, entropy]);
    const counts = micro.map(({ batch }) => batch.counts);
    const { device } = this.#parts;
    if (!gradientNorm) return device.read(...arrays).then((read) => summary(NO_GRADIENT, read, counts));
    return device.read(gradientNorm, ...arrays).then(([norm, ...read]) => summary(norm, read, counts));
  }

  #logProbs(
    tape: Tape,
    { parameters, headName }: Decoder,
    { actionOffsets: offsets, actionTokens: tokens, nodes }: PackedGroups,
    hidden: Matrix,
    scratch: PolicyScratch,
  ): void {
    const { trie } = this.#parts;
    actionLogProbs(tape, parameters, hidden, headName, { offsets, tokens, nodes }, scratch, {
      normalisation: this.#options.normalisation,
      trie,
      tokens: { start: trie.minToken, end: trie.maxToken + 1 },
    });
  }

  /** The smallest size that holds the groups. */
  #sizeFor(groups: readonly PolicyGroup[]): { capacity: GroupCapacity; sized: Sized } {
    const { device } = this.#parts;
    const size = this.#sized.find(({ capacity }) => fits(groups, capacity))!;
    const { capacity } = size;
    size.made ??= {
      buffer: new PackedGroupsBuffer(device, capacity),
      scratch: createPolicyScratch(device, capacity.rows, capacity.actions),
      slots: [],
    };
    return { capacity, sized: size.made };
  }

  #slot({ slots, buffer }: Sized, i: number): Slot {
    const { device } = this.#parts;
    const { actions, rows, completions } = buffer.capacity;
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
      made.buffer.destroy();
      destroyPolicyScratch(device, made.scratch);
      for (const flat of made.slots.flatMap((slot) => Object.values(slot))) device.destroy(flat);
    }
  }
}

/** Sizes of micro batches for groups of `answers` completions of at most `depth` tokens. */
export function updateCapacity(
  depth: number,
  { tokensPerBatch, prompts, answers }: { tokensPerBatch: number; prompts: number; answers: number },
): GroupCapacity {
  const groups = Math.min(prompts, Math.max(1, Math.floor(tokensPerBatch / (1 + answers))));
  return {
    tokens: tokensPerBatch,
    rows: Math.min(tokensPerBatch, groups * (1 + answers * (depth - 1))),
    actions: groups * answers * depth,
    completions: groups * answers,
    depth,
  };
}

/** Room for a share of the tokens; what belongs to answers is small beside the rows of the model. */
function partOf({ tokens, rows, ...sizes }: GroupCapacity, share: number): GroupCapacity {
  const part = Math.ceil(tokens * share);
  return { ...sizes, tokens: part, rows: Math.min(rows, part) };
}

function fits(groups: readonly PolicyGroup[], capacity: GroupCapacity): boolean {
  const sizes = groups.map(groupSize);
  return (["tokens", "rows", "actions", "completions"] as const).every((key) =>
    sizes.reduce((sum, size) => sum + size[key], 0) <= capacity[key]
  );
}

/** Values of each action of a batch, from those of its completions. */
function actionValues(
  groups: readonly PolicyGroup[],
  batch: GroupBatch,
  capacity: GroupCapacity,
): ActionValues {
  const { actions, depth } = capacity;
  const values: ActionValues = {
    advantages: new Float32Array(actions),
    weights: new Float32Array(actions),
    supervised: new Float32Array(actions),
  };
  let completion = 0;
  for (const { advantages, weights, supervised } of groups) {
    for (const [i, ofTokens] of advantages.entries()) {
      for (let place = 0; place < depth; place++) {
        const action = batch.completions[completion * depth + place];
        if (action === NO_ACTION) break;
        values.advantages[action] = ofTokens[place];
        values.weights[action] = weights[i];
        values.supervised[action] = supervised[i];
      }
      completion++;
    }
  }
  return values;
}

function summary(
  norm: Float32Array,
  read: readonly Float32Array[],
  counts: readonly GroupBatch["counts"][],
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
    for (let row = 0; row < rows; row++) result.entropy += entropy[row];
    result.rows += rows;
  });
  return result;
}
