import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import code from "./loss.wgsl" with { type: "text" };

const common = {
  label: "kernels/policy/loss.wgsl",
  code,
  inputs: 0,
  outputs: 0,
  workgroup: [32] as const,
};
// Two passes, so that each has no more storage buffers than the 8 that every adapter allows.
const surrogateKernel: Kernel = {
  ...common,
  entry: "policy_surrogate",
  flats: ["read", "read", "read_write", "read_write", "read", "read", "read"],
};
const regularisersKernel: Kernel = {
  ...common,
  entry: "policy_regularisers",
  flats: ["read", "read", "read_write", "read_write", "read", "read", "read"],
};

/** Exponents of the importance ratio; see {@link PolicyObjective}. */
export const POLICY_RATIOS = ["token", "sequence-mean", "sequence-sum"] as const;
/** Estimators of the KL divergence; see {@link PolicyObjective}. */
export const KL_ESTIMATORS = ["k1", "k2", "k3"] as const;

/** One of the family of clipped policy gradients (PPO, Schulman et al. 2017, arXiv:1707.06347). */
export interface PolicyObjective {
  /**
   * Exponent of the importance ratio r: the log-ratio of each token (GRPO, arXiv:2402.03300), the mean over a
   * completion's tokens (GSPO, arXiv:2507.18071), or their sum, the log-ratio of the completion.
   */
  ratio: typeof POLICY_RATIOS[number];
  /** r is clipped to at least 1 - clipLow; Infinity, as anything from 1 on, for no bound. */
  clipLow: number;
  /** r is clipped to at most 1 + clipHigh; Infinity for no bound. */
  clipHigh: number;
  /**
   * Estimator of the KL divergence of a token from the reference, with d = log p_ref - log p: k1 = -d, k2 = d^2 / 2,
   * k3 = exp(d) - d - 1 (Schulman 2020). Its gradient is the derivative of the estimator.
   */
  kl: typeof KL_ESTIMATORS[number];
  /** Share of the KL divergence in the loss, 0 for none. */
  klCoefficient: number;
}

/** What the loss is of: R actions in Cn completions. The same flat may stand for several of the log-probabilities. */
export interface PolicyOperands {
  /** u32 (Cn * D): actions of each completion, 0xffffffff where it is shorter. Each is of one completion at most. */
  completions: Flat;
  /** Places of a completion, D. */
  depth: number;
  /** f32 (R) of the policy. */
  logProbs: Flat;
  /** f32 (R) of the policy that chose, without gradient. */
  oldLogProbs: Flat;
  /** f32 (R) of the reference, without gradient. */
  referenceLogProbs: Flat;
  /** f32 (R): one an action, so that levels may differ; ratios of sequences take that of the first action. */
  advantages: Flat;
  /** f32 (R): share of the action in the loss; the way to reduce is the caller's. Those of a sequence are summed. */
  weights: Flat;
  /** f32 (R): weight of -logProb in the loss. */
  supervised: Flat;
}

/** Numbers of a completion in {@link PolicyResults}`.statistics`, in order. */
export const POLICY_STATISTICS = [
  "policyLoss", // weighted
  "klLoss", // of the objective's estimator, weighted, without the coefficient
  "k3", // sum over tokens, whatever the estimator
  "clipped", // tokens whose smaller term was the clipped one: of a sequence all or none
  "tokens",
  "largestLogRatio", // absolute, of what the ratio is the exponential of
  "supervisedLoss", // weighted
  "logProb", // sum over tokens
] as const;

/** What {@link policyLoss} writes. */
export interface PolicyResults {
  /** f32 (R): dLoss/dLogProb, 0 for actions of no completion. */
  coefficients: Flat;
  /** f32 (Cn * 8): {@link POLICY_STATISTICS} of each completion, 0 for one without actions. */
  statistics: Flat;
}

/**
 * Loss of an action: -w * min(r A, clip(r) A) + klCoefficient * w * KL - supervised * logProb; the first term is one for
 * the completion where the ratio is that of a sequence. Exponents of ratios and of k3 are cut off at 20: beyond it value
 * and gradient are those at 20. With `oldLogProbs` the same as `logProbs` the gradient is A times that of logProb.
 * @throws {RangeError} for clips that are below 0, and lengths that do not fit.
 */
export function policyLoss(
  device: Device,
  operands: PolicyOperands,
  { coefficients, statistics }: PolicyResults,
  { ratio, clipLow, clipHigh, kl, klCoefficient }: PolicyObjective,
): void {
  const { completions, depth, logProbs, oldLogProbs, referenceLogProbs, advantages, weights, supervised } =
    operands;
  const actions = logProbs.length;
  const count = Math.floor(completions.length / depth);
  for (const [name, clip] of Object.entries({ clipLow, clipHigh })) {
    if (!(clip >= 0)) throw new RangeError(`${name} is ${clip}: expected 0 or more, Infinity for no bound`);
  }
  const ofActions = { oldLogProbs, referenceLogProbs, advantages, weights, supervised, coefficients };
  for (const [name, flat] of Object.entries({ logProbs, ...ofActions })) {
    expectLength(`policyLoss() ${name}`, flat, "f32", actions);
  }
  expectLength("policyLoss() completions", completions, "u32", count * depth);
  expectLength("policyLoss() statistics", statistics, "f32", count * POLICY_STATISTICS.length);

  const rest = {
    u32: [count, depth, actions, POLICY_RATIOS.indexOf(ratio), KL_ESTIMATORS.indexOf(kl) + 1],
    // WGSL need not know infinity; no ratio is as large as this.
    f32: [Math.max(0, 1 - clipLow), Math.min(1 + clipHigh, 1e30), klCoefficient],
    invocations: [count] as const,
  };
  device.clear(coefficients);
  const shared = [completions, logProbs, coefficients, statistics];
  device.run(surrogateKernel, { flats: [...shared, oldLogProbs, advantages, weights], ...rest });
  device.run(regularisersKernel, { flats: [...shared, referenceLogProbs, supervised, weights], ...rest });
}
