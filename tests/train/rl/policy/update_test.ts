import assert from "node:assert/strict";
import { sharedDevice } from "../../../shared_device.ts";
import { Device } from "../../../../kernels/gpu/device.ts";
import type { Decoder } from "../../../../models/decoder/decoder.ts";
import { LossScaling } from "../../../../models/optimizer/loss_scaling.ts";
import { Optimizer } from "../../../../models/optimizer/optimizer.ts";
import type { PolicyGroup } from "../../../../train/rl/policy/batch.ts";
import { policyObjective } from "../../../../train/rl/objectives/objective.ts";
import { objectiveMethod } from "../../../../train/rl/objectives/by_name.ts";
import {
  PolicyUpdate,
  type PolicyUpdateOptions,
  type PolicyUpdateParts,
  type UpdateStatistics,
} from "../../../../train/rl/policy/update.ts";
import { treePacking } from "../../../../train/rl/policy/tree_batch.ts";
import { tensorsOf, tinyConfig, tinyDecoder } from "../../../models/decoder/tiny.ts";
import {
  capacityOf,
  groupOf,
  treeProbabilities,
  trieOn,
  VOCABULARY,
} from "../../../models/packing/tiny_groups.ts";

const DEPTH = 3;
const LEARNING_RATE = 0.02;

/** SIDs 0 to 2 after one prompt, 4 and 5 after another. */
const PROMPTS = [groupOf([1, 12, 14, 11, 13, 18], [0, 1, 2]), groupOf([1, 10], [4, 5])];

/** The groups with an advantage each, the same for all tokens. */
function groupsWith(advantages: number[][], supervised: number[][] = [[0, 0, 0], [0, 0]]): PolicyGroup[] {
  return PROMPTS.map((group, g) => ({
    ...group,
    advantages: group.completions.map(({ length }, i) => Array(length).fill(advantages[g][i])),
    weights: group.completions.map(({ length }) => 1 / (5 * length)),
    supervised: supervised[g],
  }));
}

/** Log-probability of each token, nested by group, completion and place. */
async function logProbsOf(decoder: Decoder): Promise<number[][][]> {
  const { logProbs } = await treeProbabilities(decoder, PROMPTS, "vocab");
  let at = 0;
  return PROMPTS.map(({ completions }) => completions.map(({ length }) => logProbs.slice(at, at += length)));
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

interface Settings extends Partial<PolicyUpdateOptions> {
  loss?: string;
  beta?: number;
  tokens?: number;
  /** Measure the KL divergence from a copy of the first policy. */
  withReference?: boolean;
  /** In float16, from this loss scale on. */
  lossScale?: number;
}

let half: Promise<Device> | undefined;

/** Runs updates of a fresh tiny policy, `steps` of them, and hands the policy to `use`. */
async function update(
  groups: PolicyGroup[],
  { loss = "grpo", beta = 0, tokens, withReference = false, lossScale, ...options }: Settings,
  steps: number,
  use?: (decoder: Decoder, policy: PolicyUpdate<Decoder>) => Promise<void>,
): Promise<UpdateStatistics[]> {
  const device = await (lossScale ? half ??= Device.open({ dtype: "float16" }) : sharedDevice("texture"));
  const scaling = lossScale ? new LossScaling(device, { most: lossScale }) : undefined;
  const make = () => tinyDecoder(device, tinyConfig(VOCABULARY, true));
  const decoder = make();
  const frozen = withReference ? make() : undefined;
  const optimizer = new Optimizer(decoder.parameters, {
    beta1: 0.9,
    beta2: 0.99,
    eps: 1e-8,
    weightDecay: 0,
    maxGradNorm: 0,
    emaDecay: 0,
  }, { lossScaling: scaling });
  const all = capacityOf(groups);
  const parts: PolicyUpdateParts<Decoder> = {
    device,
    policy: decoder,
    optimizer,
    scaling,
    reference: frozen && { use: (compute) => compute(frozen) },
    trie: trieOn(device),
    packing: treePacking,
    capacity: { ...all, tokens: tokens ?? all.tokens },
  };
  const method = objectiveMethod(loss);
  const policy = new PolicyUpdate(parts, {
    objective: policyObjective(method, beta, DEPTH),
    ratioAgainst: method.ratioAgainst,
    normalisation: "vocab",
    numIterations: 1,
    entropyCoefficient: 0,
    dropout: 0,
    seed: 1,
    ...options,
  });
  const statistics: UpdateStatistics[] = [];
  for (let step = 0; step < steps; step++) {
    statistics.push(await (await policy.run(step, groups, LEARNING_RATE))());
  }
  await use?.(decoder, policy);
  policy.destroy();
  scaling?.destroy();
  optimizer.destroy();
  decoder.destroy();
  frozen?.destroy();
  return statistics;
}

/** Log-probabilities before any update. */
async function logProbsBefore(): Promise<number[][][]> {
  const decoder = tinyDecoder(await sharedDevice("texture"), tinyConfig(VOCABULARY, true));
  const result = await logProbsOf(decoder);
  decoder.destroy();
  return result;
}

Deno.test("PolicyUpdate raises the probability of what was better than its group and lowers the other", async () => {
  const before = await logProbsBefore();
  for (const sign of [1, -1]) {
    await update(groupsWith([[sign, 0, 0], [0, 0]]), {}, 1, async (decoder) => {
      const change = sum((await logProbsOf(decoder))[0][0]) - sum(before[0][0]);
      assert.ok(sign * change > 0.05, `advantage ${sign}: the log-probability changed by ${change}`);
    });
  }
});

Deno.test("PolicyUpdate takes ratios of later iterations against the policy that made the rollout", async () => {
  const advantages = [[1, -1, 1], [-1, 1]];
  const before = await logProbsBefore();
  let after: number[][][] = [];
  const [first] = await update(groupsWith(advantages), { loss: "clipped" }, 1, async (decoder) => {
    after = await logProbsOf(decoder);
  });
  assert.deepEqual([first.maxLogRatio, first.clipped, first.tokens], [0, 0, 14]);

  const [second] = await update(groupsWith(advantages), { loss: "clipped", numIterations: 2 }, 1);
  const ratios = after.flatMap((group, g) =>
    group.flatMap((tokens, c) =>
      tokens.map((logProb, i) => ({ log: logProb - before[g][c][i], advantage: advantages[g][c] }))
    )
  );
  const largest = Math.max(...ratios.map(({ log }) => Math.abs(log)));
  assert.ok(Math.abs(second.maxLogRatio - largest) < 1e-4, `${second.maxLogRatio}, not ${largest}`);
  const clipped = ratios.filter(({ log, advantage }) =>
    advantage > 0 ? Math.exp(log) > 1.2 : Math.exp(log) < 0.8
  );
  assert.equal(second.clipped, clipped.length);
  assert.ok(clipped.length > 0 && clipped.length < 14, `${clipped.length} clipped`);
});

Deno.test("PolicyUpdate measures a KL divergence of 0 from its own first weights, and more after a step", async () => {
  const groups = groupsWith([[1, -1, 0], [1, -1]]);
  const [first, second] = await update(groups, { withReference: true, beta: 0.1 }, 2);
  assert.ok(Math.abs(first.kl) < 1e-6 && Math.abs(first.klLoss) < 1e-6, `KL ${first.kl} at the start`);
  assert.ok(second.kl > 1e-4, `KL ${second.kl} after a step`);
});

Deno.test("PolicyUpdate with a large beta stays closer to the reference", async () => {
  const groups = groupsWith([[1, -1, 0], [1, -1]]);
  const last = async (beta: number) => (await update(groups, { withReference: true, beta }, 6)).at(-1)!.kl;
  const [free, bound] = [await last(0), await last(20)];
  assert.ok(bound < free / 2, `KL ${bound} with beta 20, ${free} without`);
});

Deno.test("PolicyUpdate gives the same weights whatever the split into micro batches", async () => {
  const groups = groupsWith([[1, -1, 0.5], [1, -0.5]], [[0.1, 0, 0], [0, 0.2]]);
  const settings = {
    loss: "clipped",
    beta: 0.1,
    withReference: true,
    numIterations: 2,
    entropyCoefficient: 0.1,
  };
  const weights: number[][] = [];
  const keep = async (decoder: Decoder) => {
    weights.push([...(await tensorsOf(decoder)).values()].flatMap(({ data }) => [...data]));
  };
  const [whole] = await update(groups, settings, 1, keep);
  const tokens = capacityOf([PROMPTS[0]]).tokens; // a micro batch a group
  const [split] = await update(groups, { ...settings, tokens }, 1, keep);
  for (const key of Object.keys(whole) as (keyof UpdateStatistics)[]) {
    assert.ok(
      Math.abs(Number(whole[key]) - Number(split[key])) < 1e-4,
      `${key}: ${whole[key]}, ${split[key]}`,
    );
  }
  const distance = Math.max(...weights[0].map((value, i) => Math.abs(value - weights[1][i])));
  // Adam's first steps have the size of the learning rate whatever that of the gradient, so rounding shows there.
  const moved = LEARNING_RATE / 20;
  assert.ok(distance < moved, `weights differ by ${distance}`);
});

Deno.test("PolicyUpdate raises the entropy where it has a weight, by nothing else", async () => {
  const groups = groupsWith([[0, 0, 0], [0, 0]]);
  const entropies = async (entropyCoefficient: number) =>
    (await update(groups, { entropyCoefficient }, 4)).map(({ entropy, rows }) => entropy / rows);
  const still = await entropies(0);
  assert.equal(still[3], still[0]);
  const rising = await entropies(1);
  assert.ok(rising[3] > rising[0] + 0.05, `entropy ${rising}`);
  assert.ok(rising[3] <= Math.log(VOCABULARY));
});

Deno.test("PolicyUpdate lowers the cross-entropy of targets where they have a weight", async () => {
  const groups = groupsWith([[0, 0, 0], [0, 0]], [[0, 0.5, 0], [0, 0]]);
  const before = await logProbsBefore();
  const losses = await update(groups, {}, 3, async (decoder) => {
    const change = sum((await logProbsOf(decoder))[0][1]) - sum(before[0][1]);
    assert.ok(change > 0.2, `the target's log-probability changed by ${change}`);
  });
  assert.ok(
    Math.abs(losses[0].supervisedLoss + 0.5 * sum(before[0][1])) < 1e-4,
    `${losses[0].supervisedLoss}`,
  );
  assert.ok(losses[2].supervisedLoss < losses[0].supervisedLoss);
});

Deno.test("PolicyUpdate.measure() says what run() says and leaves weights and moments as they are", async () => {
  const groups = groupsWith([[1, -1, 0], [1, -1]]);
  const settings = { withReference: true, beta: 0.1, dropout: 0.5, entropyCoefficient: 0.1 };
  const plain = { ...settings, dropout: 0 };
  const tokens = capacityOf([PROMPTS[0]]).tokens; // a micro batch a group
  for (const steps of [1, 2]) {
    const said = (await update(groups, { ...plain, tokens }, steps)).at(-1)!;
    const measured: UpdateStatistics[] = [];
    const weights: number[][] = [];
    const optimised = await update(groups, { ...plain, tokens }, steps - 1, async (decoder, policy) => {
      const flat = async () => [...(await tensorsOf(decoder)).values()].flatMap(({ data }) => [...data]);
      weights.push(await flat());
      for (let i = 0; i < 2; i++) measured.push(await policy.measure(groups)());
      weights.push(await flat());
    });
    assert.equal(optimised.length, steps - 1);
    assert.deepEqual(weights[1], weights[0]);
    for (const one of measured) assert.deepEqual(one, { ...said, gradientNorm: 0 });
    assert.ok(said.entropy > 1 && (steps === 1 || said.kl > 1e-4), JSON.stringify(said));
  }
  const [dropped] = await update(groups, settings, 1);
  await update(groups, settings, 0, async (_, policy) => {
    const { entropy } = await policy.measure(groups)();
    assert.ok(Math.abs(entropy - dropped.entropy) > 1e-3, `entropy ${entropy} is that of a dropout`);
  });
});

/** All gradients of the last update. */
async function gradientsOf({ device, parameters }: Decoder): Promise<number[]> {
  const read = await device.read(...parameters.segments.map(({ gradients }) => gradients));
  return read.flatMap((part) => [...part]);
}

Deno.test("PolicyUpdate in float16 has losses and gradients of float32, whatever the loss is made of", async () => {
  const none = [[0, 0, 0], [0, 0]], advantages = [[1, -1, 0.5], [1, -0.5]];
  const taught = groupsWith(none, [[0, 0.5, 0], [0.2, 0]]);
  // Unlike the others, this estimator has a gradient where policy and reference are equal.
  const objective = { ...policyObjective(objectiveMethod("clipped"), 0.1, DEPTH), kl: "k1" } as const;
  const SCALE = 2 ** 12;
  const parts: [string, PolicyGroup[], Settings][] = [
    ["advantages", groupsWith(advantages), {}],
    ["KL", groupsWith(none), { withReference: true, objective }],
    ["supervised", taught, {}],
    ["entropy", groupsWith(none), { entropyCoefficient: 0.1 }],
    [
      "all, as small as float16 cannot hold it",
      groupsWith(advantages, [[0, 0.5, 0], [0.2, 0]]).map((group) => ({
        ...group,
        weights: group.completions.map(({ length }) => 2 ** -22 / length),
        supervised: Array.from(group.supervised, (weight) => 2 ** -22 * weight),
      })),
      { withReference: true, objective, entropyCoefficient: 2 ** -22 },
    ],
  ];
  for (const [name, groups, settings] of parts) {
    const gradients: number[][] = [], said: UpdateStatistics[] = [];
    for (const lossScale of [undefined, SCALE]) {
      said.push(
        ...await update(groups, { ...settings, lossScale }, 1, async (decoder) => {
          gradients.push((await gradientsOf(decoder)).map((value) => value / (lossScale ?? 1)));
        }),
      );
    }
    const norm = (values: number[]) => Math.hypot(...values);
    const largest = norm(gradients[0]);
    const apart = norm(gradients[0].map((value, i) => value - gradients[1][i]));
    assert.ok(
      largest > 1e-8 && apart < 6e-3 * largest,
      `${name}: gradients of norm ${largest} are ${apart} apart`,
    );
    const [exact, rounded] = said;
    for (const key of ["policyLoss", "klLoss", "supervisedLoss", "entropy", "gradientNorm"] as const) {
      const off = Math.abs(rounded[key] - exact[key]);
      assert.ok(
        off < 3e-3 * Math.abs(exact[key]) + 1e-6,
        `${name}: ${key} ${rounded[key]}, not ${exact[key]}`,
      );
    }
    const { overflowed, bad, lossScale, skipped } = rounded;
    assert.deepEqual([overflowed, bad, lossScale, skipped], [false, false, SCALE, 0], name);
  }
});

Deno.test("PolicyUpdate skips what overflows under its loss scale, halves it, and goes on", async () => {
  const groups = groupsWith([[1, -1, 0.5], [1, -0.5]]);
  const before: number[][] = [];
  const flat = async (decoder: Decoder) =>
    [...(await tensorsOf(decoder)).values()].flatMap(({ data }) => [...data]);
  await update(groups, { lossScale: 1 }, 0, async (decoder) => void before.push(await flat(decoder)));
  const settings = { loss: "clipped", numIterations: 2, lossScale: 2 ** 26 };
  const [first] = await update(groups, settings, 1, async (decoder) => {
    assert.deepEqual(await flat(decoder), before[0]);
  });
  const { overflowed, bad, lossScale, skipped } = first;
  assert.deepEqual([overflowed, bad, lossScale, skipped], [true, false, 2 ** 24, 2]);
  assert.ok(first.entropy > 1, "what the forward pass says holds");
  const last = (await update(groups, settings, 8, async (decoder) => {
    assert.notDeepEqual(await flat(decoder), before[0]);
  })).at(-1)!;
  assert.ok(
    !last.overflowed && last.skipped! < 16 && last.lossScale === 2 ** (26 - last.skipped!),
    JSON.stringify(last),
  );
  assert.ok(last.gradientNorm > 0 && last.gradientNorm < 100, `${last.gradientNorm}`);
});
