import assert from "node:assert/strict";
import { sharedDevice } from "../../../shared_device.ts";
import { POLICY_STATISTICS, policyLoss } from "../../../../kernels/policy/loss.ts";
import {
  actionWeights,
  type ObjectiveMethod,
  policyObjective,
} from "../../../../train/rl/objectives/objective.ts";
import { objectiveMethod, OBJECTIVES } from "../../../../train/rl/objectives/by_name.ts";

/** Log-probabilities of a completion's tokens under the three models, and its advantage. */
interface Scored {
  now: number[];
  old: number[];
  reference: number[];
  advantage: number;
}

const BETA = 0.3;
const MAX_LENGTH = 4;

/** Ratios move both ways, inside and outside of the bounds, with advantages of both signs. */
const STEP: Scored[] = [
  { now: [-1, -2, -0.5], old: [-1.5, -1.9, -0.5], reference: [-1.1, -2.3, -0.7], advantage: 1.4 },
  { now: [-0.7, -1.2, -3], old: [-0.72, -1.15, -2], reference: [-0.9, -1.25, -2.95], advantage: 0.3 },
  { now: [-1.3, -0.4, -2.2], old: [-1.6, -0.41, -1.5], reference: [-1.4, -0.3, -2.1], advantage: -0.8 },
  { now: [-2.1, -0.9, -1], old: [-2.1001, -0.9, -1], reference: [-2, -1.3, -1.05], advantage: -0.9 },
];

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
const mean = (values: number[]) => sum(values) / values.length;
const k3 = (now: number, reference: number) => Math.exp(reference - now) - (reference - now) - 1;
const clip = (ratio: number, low: number, high: number) => Math.min(1 + high, Math.max(1 - low, ratio));
const surrogate = (ratio: number, advantage: number, low: number, high: number) =>
  Math.min(ratio * advantage, clip(ratio, low, high) * advantage);
const ratios = ({ now, old }: Scored) => now.map((logProb, t) => Math.exp(logProb - old[t]));
const penalties = ({ now, reference }: Scored) => now.map((logProb, t) => BETA * k3(logProb, reference[t]));
const tokenLosses = (completion: Scored, low: number, high: number) => {
  const penalty = penalties(completion);
  return ratios(completion).map((ratio, t) => penalty[t] - surrogate(ratio, completion.advantage, low, high));
};

/** Without its last token. */
const shortened = ({ now, old, reference, advantage }: Scored): Scored => ({
  now: now.slice(0, -1),
  old: old.slice(0, -1),
  reference: reference.slice(0, -1),
  advantage,
});

/** Loss of a step as papers and specifications write it. */
const LOSSES: Record<string, (step: Scored[]) => number> = {
  "grpo": (step) => mean(step.map((c) => mean(tokenLosses(c, Infinity, Infinity)))),
  "clipped": (step) => mean(step.map((c) => mean(tokenLosses(c, 0.2, 0.2)))),
  "dapo": (step) => mean(step.flatMap((c) => tokenLosses(c, 0.2, 0.28))),
  "dr-grpo": (step) => sum(step.flatMap((c) => tokenLosses(c, 0.2, 0.2))) / (step.length * MAX_LENGTH),
  "gspo": (step) =>
    mean(step.map((c) => {
      const ratio = Math.exp(mean(c.now.map((logProb, t) => logProb - c.old[t])));
      return mean(penalties(c)) - surrogate(ratio, c.advantage, 3e-4, 4e-4);
    })),
  "etegrec": (step) =>
    mean(step.map((c) => {
      const logRatio = sum(c.now) - sum(c.reference);
      return BETA * logRatio - surrogate(Math.exp(logRatio), c.advantage, 0.2, 0.2);
    })),
};

/** Loss and dLoss/dLogProb of the kernel with the registry's settings. */
async function ofKernel(method: ObjectiveMethod, step: Scored[]) {
  const device = await sharedDevice();
  const lengths = step.map(({ now }) => now.length);
  const depth = Math.max(...lengths);
  const weights = actionWeights(method.reduction, lengths, MAX_LENGTH);
  const flat = (of: (completion: Scored, i: number) => number[]) =>
    device.createFlat("f32", Float32Array.from(step.flatMap(of)));
  let action = 0;
  const completions = lengths.flatMap((length) =>
    Array.from({ length: depth }, (_, t) => t < length ? action++ : 0xffffffff)
  );
  const reference = flat((completion) => completion.reference);
  const results = {
    coefficients: device.createFlat("f32", action),
    statistics: device.createFlat("f32", step.length * POLICY_STATISTICS.length),
  };
  const objective = policyObjective(method, BETA, mean(lengths));
  policyLoss(
    device,
    {
      completions: device.createFlat("u32", Uint32Array.from(completions)),
      depth,
      logProbs: flat(({ now }) => now),
      oldLogProbs: method.ratioAgainst === "old" ? flat(({ old }) => old) : reference,
      referenceLogProbs: reference,
      advantages: flat(({ now, advantage }) => now.map(() => advantage)),
      weights: flat(({ now }, i) => now.map(() => weights[i])),
      supervised: device.createFlat("f32", action),
    },
    results,
    objective,
  );
  const [gradient, statistics] = await device.read(results.coefficients, results.statistics);
  const [policyLosses, klLosses] = ["policyLoss", "klLoss"].map((name) => {
    const column = POLICY_STATISTICS.indexOf(name as typeof POLICY_STATISTICS[number]);
    return sum(step.map((_, i) => statistics[i * POLICY_STATISTICS.length + column]));
  });
  return { loss: policyLosses + objective.klCoefficient * klLosses, gradient: [...gradient] };
}

/** Central differences of a loss in the log-probabilities of the policy. */
function differences(loss: (step: Scored[]) => number, step: Scored[]): number[] {
  const shifted = (c: number, t: number, by: number) =>
    loss(step.map((own, i) => ({ ...own, now: own.now.map((p, j) => i === c && j === t ? p + by : p) })));
  return step.flatMap(({ now }, c) => now.map((_, t) => (shifted(c, t, 1e-6) - shifted(c, t, -1e-6)) / 2e-6));
}

for (const method of OBJECTIVES) {
  Deno.test(`loss ${method.name} is the formula of its source, and so is its gradient`, async () => {
    // Completions of one length, and of several where the formula's KL divergence is that of a token.
    const steps = method.objective.ratio === "sequence-sum"
      ? [STEP]
      : [STEP, [shortened(STEP[0]), ...STEP.slice(1)]];
    for (const step of steps) {
      const { loss, gradient } = await ofKernel(method, step);
      const expected = LOSSES[method.name](step);
      assert.ok(Math.abs(loss - expected) < 1e-5, `${loss}, expected ${expected}`);
      differences(LOSSES[method.name], step).forEach((slope, a) =>
        assert.ok(Math.abs(gradient[a] - slope) < 1e-5, `action ${a}: ${gradient[a]}, expected ${slope}`)
      );
    }
  });
}

Deno.test("actionWeights() of completions of 3, 4 and no tokens", () => {
  const weights = (reduction: ObjectiveMethod["reduction"]) => [...actionWeights(reduction, [3, 4, 0], 5)];
  assert.deepEqual(weights("sequence-mean"), [1 / 9, 1 / 12, 0]);
  assert.deepEqual(weights("token-mean"), [1 / 7, 1 / 7, 0]);
  assert.deepEqual(weights("constant"), [1 / 15, 1 / 15, 0]);
});

Deno.test("objectiveMethod() refuses an unknown name with a suggestion", () => {
  assert.throws(() => objectiveMethod("dr_gpro"), {
    name: "UserError",
    message:
      'Cannot train with loss "dr_gpro": there is no such loss. Expected one of clipped, dapo, dr-grpo, etegrec, ' +
      "grpo, gspo. Did you mean dr-grpo?",
  });
});
