import type { Device } from "../gpu/device.ts";
import { POLICY_STATISTICS, policyLoss, type PolicyObjective, type PolicyOperands } from "./loss.ts";
import { flatOf, type KernelSpec, type Named, noise, type Values } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";

interface Attributes {
  depth: number;
  objective: PolicyObjective;
}

const NO_ACTION = 0xffffffff;

const OBJECTIVES: PolicyObjective[] = [
  { ratio: "token", clipLow: 0.2, clipHigh: 0.28, kl: "k3", klCoefficient: 0.04 },
  { ratio: "token", clipLow: Infinity, clipHigh: Infinity, kl: "k1", klCoefficient: 0.5 },
  { ratio: "sequence-mean", clipLow: 0.03, clipHigh: 0.04, kl: "k2", klCoefficient: 1 },
  { ratio: "sequence-sum", clipLow: 0.2, clipHigh: 0.2, kl: "k1", klCoefficient: 0.05 },
  { ratio: "sequence-sum", clipLow: 0, clipHigh: Infinity, kl: "k3", klCoefficient: 0 },
];

const SHAPES = [{ completions: 3, depth: 1 }, { completions: 45, depth: 4 }];

export const spec: KernelSpec<Attributes> = {
  name: "policyLoss",
  cases: () =>
    SHAPES.flatMap(({ completions, depth }) =>
      OBJECTIVES.map((objective) => {
        const inputs = operandsOf(completions, depth);
        const { ratio, kl } = objective;
        return {
          name: `${completions} completions of ${depth}, ${ratio}, ${kl}`,
          inputs,
          attributes: { depth, objective },
        };
      })
    ),
  // The gradient, too, is a result: central differences of the loss stand for it here.
  reference: (inputs, { depth, objective }) => {
    const { completions, logProbs } = inputs;
    const count = completions.cols / depth;
    const statistics = new Float64Array(count * POLICY_STATISTICS.length);
    const coefficients = new Float64Array(logProbs.cols);
    for (let c = 0; c < count; c++) {
      const actions = Array.from(completions.data.subarray(c * depth, (c + 1) * depth))
        .filter((a) => a !== NO_ACTION);
      const policy = Float64Array.from(logProbs.data);
      const known = statisticsOf(actions, policy, inputs, objective);
      statistics.set(known.values, c * POLICY_STATISTICS.length);
      for (const a of actions) {
        const [up, down] = [1e-5, -1e-5].map((by) => {
          policy[a] = logProbs.data[a] + by;
          return statisticsOf(actions, policy, inputs, objective).loss;
        });
        policy[a] = logProbs.data[a];
        coefficients[a] = (up - down) / 2e-5;
      }
    }
    return { coefficients: doubles(coefficients), statistics: doubles(statistics) };
  },
  forward: (device, inputs, { depth, objective }) => {
    const flats = inputs as Named<Flat>;
    const { logProbs, completions } = flats;
    const results = resultsOf(device, logProbs.length, completions.length / depth);
    policyLoss(device, { ...flats, depth } as unknown as PolicyOperands, results, objective);
    return results;
  },
};

function statisticsOf(
  actions: number[],
  policy: Float64Array,
  inputs: Named<Values>,
  { ratio, clipLow, clipHigh, kl, klCoefficient }: PolicyObjective,
) {
  const [old, reference, advantages, weights, supervised] = [
    inputs.oldLogProbs,
    inputs.referenceLogProbs,
    inputs.advantages,
    inputs.weights,
    inputs.supervised,
  ].map(({ data }) => data);
  const sum = (of: (a: number) => number) => actions.reduce((total, a) => total + of(a), 0);
  const logRatio = (a: number) => policy[a] - old[a];
  const terms = (x: number, advantage: number) => {
    const clipped = Math.min(Math.max(Math.exp(x), 1 - clipLow), 1 + clipHigh) * advantage;
    return { plain: Math.exp(x) * advantage, clipped };
  };
  // A sequence is one term, a token each otherwise.
  const length = ratio === "sequence-mean" ? actions.length : 1;
  const surrogates = ratio === "token"
    ? actions.map((a) => ({ x: logRatio(a), advantage: advantages[a], weight: weights[a], tokens: 1 }))
    : actions.slice(0, 1).map((first) => ({
      x: sum(logRatio) / length,
      advantage: advantages[first],
      weight: sum((a) => weights[a]),
      tokens: actions.length,
    }));
  let policyLoss = 0;
  let clippedTokens = 0;
  for (const { x, advantage, weight, tokens } of surrogates) {
    const { plain, clipped } = terms(x, advantage);
    policyLoss -= weight * Math.min(plain, clipped);
    if (clipped < plain) clippedTokens += tokens;
  }
  const d = (a: number) => reference[a] - policy[a];
  const k3 = (a: number) => Math.exp(d(a)) - d(a) - 1;
  const estimator = { k1: (a: number) => -d(a), k2: (a: number) => d(a) ** 2 / 2, k3 }[kl];
  const klLoss = sum((a) => weights[a] * estimator(a));
  const supervisedLoss = sum((a) => -supervised[a] * policy[a]);
  const largest = Math.max(0, ...surrogates.map(({ x }) => Math.abs(x)));
  return {
    loss: policyLoss + klCoefficient * klLoss + supervisedLoss,
    values: [
      policyLoss,
      klLoss,
      sum(k3),
      clippedTokens,
      actions.length,
      largest,
      supervisedLoss,
      sum((a) => policy[a]),
    ],
  };
}

/** Completions of all lengths, holes and nothing at all among them, of actions in no order; some are of none. */
function operandsOf(completions: number, depth: number): Named<Values> {
  const next = noise(completions);
  const places = Array.from({ length: completions * depth }, (_, i) => {
    const length = Math.floor(i / depth) % (depth + 2);
    const hole = i % 11 === 7;
    // 7 and the number of actions have no common factor: all of them are different.
    return i % depth < length && !hole ? i * 7 % (completions * depth + 1) : NO_ACTION;
  });
  const actions = completions * depth + 1;
  const f32 = (value: () => number) => flatOf("f32", Array.from({ length: actions }, value));
  const logProbs = f32(() => next() - 2);
  const near = (scale: number) => flatOf("f32", logProbs.data.map((value) => value + scale * next()));
  return {
    completions: flatOf("u32", places),
    logProbs,
    oldLogProbs: near(0.4),
    referenceLogProbs: near(0.8),
    advantages: f32(() => next()),
    weights: f32(() => Math.abs(next()) / 2),
    supervised: f32(() => Math.max(0, next() / 4)),
  };
}

function doubles(data: Float64Array): Values {
  return { kind: "f32", rows: 1, cols: data.length, data };
}

// Nothing of what was there before may show.
function resultsOf(device: Device, actions: number, completions: number) {
  return {
    coefficients: device.createFlat("f32", new Float32Array(actions).fill(7)),
    statistics: device.createFlat("f32", new Float32Array(completions * POLICY_STATISTICS.length).fill(7)),
  };
}
