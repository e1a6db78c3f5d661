import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { POLICY_STATISTICS, policyLoss, type PolicyObjective } from "../../../kernels/policy/loss.ts";

const NO_ACTION = 0xffffffff;
const PLAIN: PolicyObjective = { ratio: "token", clipLow: 0.2, clipHigh: 0.2, kl: "k3", klCoefficient: 0 };

interface Action {
  logProb: number;
  old?: number;
  reference?: number;
  advantage?: number;
  weight?: number;
  supervised?: number;
}

/** Loss of completions of up to `depth` actions each. Old and reference are the policy where nothing is said. */
async function run(completions: Action[][], objective: Partial<PolicyObjective>) {
  const device = await sharedDevice();
  const depth = Math.max(...completions.map((actions) => actions.length));
  const actions = completions.flat();
  const flat = (of: (action: Action) => number) => device.createFlat("f32", Float32Array.from(actions, of));
  const logProbs = flat(({ logProb }) => logProb);
  const same = (of: "old" | "reference") =>
    actions.some((action) => action[of] !== undefined)
      ? flat((action) => action[of] ?? action.logProb)
      : logProbs;
  const places = completions.flatMap((own) =>
    Array.from({ length: depth }, (_, i) => own[i] ? actions.indexOf(own[i]) : NO_ACTION)
  );
  const results = {
    coefficients: device.createFlat("f32", actions.length),
    statistics: device.createFlat("f32", completions.length * POLICY_STATISTICS.length),
  };
  const operands = {
    completions: device.createFlat("u32", Uint32Array.from(places)),
    depth,
    logProbs,
    oldLogProbs: same("old"),
    referenceLogProbs: same("reference"),
    advantages: flat(({ advantage = 0 }) => advantage),
    weights: flat(({ weight = 1 }) => weight),
    supervised: flat(({ supervised = 0 }) => supervised),
  };
  policyLoss(device, operands, results, { ...PLAIN, ...objective });
  const [coefficients, numbers] = await device.read(results.coefficients, results.statistics);
  const statistics = completions.map((_, c) =>
    Object.fromEntries(POLICY_STATISTICS.map((name, i) => [name, numbers[c * POLICY_STATISTICS.length + i]]))
  );
  return { coefficients: [...coefficients], statistics };
}

function assertClose(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) =>
    assert.ok(
      Math.abs(value - expected[i]) <= 1e-6 * (1 + Math.abs(expected[i])),
      `${actual}, expected ${expected}`,
    )
  );
}

/** A token chosen with this ratio. */
const ofRatio = (ratio: number, advantage: number): Action => ({
  logProb: -1,
  old: -1 - Math.log(ratio),
  advantage,
});

Deno.test("policyLoss() has the three estimators of the divergence and their derivatives", async () => {
  // Log-ratios of the reference of 0.2 and -1.
  const actions = [[{ logProb: -2, reference: -1.8 }], [{ logProb: -2, reference: -3, weight: 0.5 }]];
  const expected = {
    k1: { losses: [-0.2, 0.5], slopes: [1, 0.5] },
    k2: { losses: [0.02, 0.25], slopes: [-0.2, 0.5] },
    k3: { losses: [0.021403, 0.367879 / 2], slopes: [1 - Math.exp(0.2), (1 - Math.exp(-1)) / 2] },
  };
  for (const kl of ["k1", "k2", "k3"] as const) {
    const { coefficients, statistics } = await run(actions, { kl, klCoefficient: 0.1 });
    assertClose(statistics.map(({ klLoss }) => klLoss), expected[kl].losses);
    assertClose(coefficients, expected[kl].slopes.map((slope) => 0.1 * slope));
    assertClose(statistics.map(({ k3 }) => k3), [0.021403, 0.367879]);
  }
});

Deno.test("policyLoss() resolves the k3 of a policy that has hardly moved", async () => {
  const d = 2 ** -10; // exact in the difference of two float32
  const { statistics, coefficients } = await run([[{ logProb: -1, reference: -1 + d }]], {
    klCoefficient: 1,
  });
  const expected = Math.expm1(d) - d;
  assert.ok(Math.abs(statistics[0].k3 / expected - 1) < 1e-3, `${statistics[0].k3}, expected ${expected}`);
  assert.ok(Math.abs(coefficients[0] / -Math.expm1(d) - 1) < 1e-6);
});

Deno.test("policyLoss() clips where it would gain from moving on, not where it must move back", async () => {
  const actions = [[1.5, 2], [0.5, 2], [1.1, 2], [1.5, -2], [0.5, -2]].map(([ratio, advantage]) => [
    ofRatio(ratio, advantage),
  ]);
  const { coefficients, statistics } = await run(actions, { clipLow: 0.2, clipHigh: 0.28 });
  assertClose(statistics.map(({ policyLoss }) => policyLoss), [-2.56, -1, -2.2, 3, 1.6]);
  assertClose(coefficients, [0, -1, -2.2, 3, 0]);
  assert.deepEqual(statistics.map(({ clipped }) => clipped), [1, 0, 0, 0, 1]);
});

Deno.test("policyLoss() of the policy that chose is A times the gradient of each log-probability", async () => {
  const completion = [{ logProb: -0.3, advantage: 1.48133 }, {
    logProb: -4,
    advantage: -0.40531,
    weight: 0.25,
  }];
  const { coefficients, statistics } = await run([completion], {});
  const expected = completion.map(({ advantage, weight = 1 }) => -Math.fround(advantage) * weight);
  assert.deepEqual(coefficients, expected.map(Math.fround));
  const { tokens, clipped, largestLogRatio, logProb } = statistics[0];
  assertClose([tokens, clipped, largestLogRatio, logProb], [2, 0, 0, -4.3]);
});

Deno.test("policyLoss() of sequences clips all tokens of a completion by its own ratio", async () => {
  // Log-ratios of 0.3 and 0.1: their mean is 0.2, their sum 0.4.
  const completion = (advantage: number): Action[] => [
    { logProb: -1, old: -1.3, advantage, weight: 0.25 },
    { logProb: -2, old: -2.1, advantage: 99, weight: 0.75 },
  ];
  const bounds = { clipLow: 0.3, clipHigh: 0.3 };
  const mean = await run([completion(2), completion(-2)], { ...bounds, ratio: "sequence-mean" });
  const r = Math.exp(0.2);
  assertClose(mean.statistics.map(({ policyLoss }) => policyLoss), [-2 * r, 2 * r]);
  assertClose(mean.coefficients, [-r, -r, r, r]);
  const sum = await run([completion(2), completion(-2)], { ...bounds, ratio: "sequence-sum" });
  const s = Math.exp(0.4);
  assertClose(sum.statistics.map(({ policyLoss }) => policyLoss), [-2.6, 2 * s]);
  assertClose(sum.coefficients, [0, 0, 2 * s, 2 * s]);
  assertClose(sum.statistics.map(({ clipped }) => clipped), [2, 0]);
  assertClose(sum.statistics.map(({ largestLogRatio }) => largestLogRatio), [0.4, 0.4]);
});

Deno.test("policyLoss() stays finite for log-ratios of 50 and -50", async () => {
  const far = [50, -50].flatMap((by) =>
    [1, -1].map((advantage) => [{ logProb: -60, old: -60 - by, reference: -60 + by, advantage }])
  );
  const clipped = await run(far, { klCoefficient: 1e-3 });
  const top = Math.exp(20);
  assertClose(clipped.statistics.map(({ policyLoss }) => policyLoss), [-1.2, top, 0, 0.8]);
  assertClose(clipped.statistics.map(({ k3 }) => k3), [top - 51, top - 51, 49, 49]);
  assertClose(clipped.statistics.map(({ clipped }) => clipped), [1, 0, 0, 1]);
  const slopes = [1e-3 * (1 - top), 1e-3 * (1 - top), 1e-3, 1e-3];
  assertClose(clipped.coefficients, [slopes[0], top + slopes[1], slopes[2], slopes[3]]);
  const open = await run(far, { clipLow: Infinity, clipHigh: Infinity });
  assertClose(open.coefficients, [-top, top, 0, 0]);
});

Deno.test("policyLoss() adds the supervised loss, and gives 0 for completions without actions", async () => {
  const target = [{ logProb: -0.5, weight: 0, supervised: 0.2 }, {
    logProb: -1.5,
    weight: 0,
    supervised: 0.4,
  }];
  const { coefficients, statistics } = await run([[], target], {});
  assertClose(coefficients, [-0.2, -0.4]);
  assertClose([statistics[1].supervisedLoss], [0.7]);
  assert.deepEqual(Object.values(statistics[0]), Array(8).fill(0));
});

Deno.test("policyLoss() refuses clips that are below 0", async () => {
  await assert.rejects(run([[{ logProb: -1 }]], { clipHigh: -0.2 }), {
    name: "RangeError",
    message: "clipHigh is -0.2: expected 0 or more, Infinity for no bound",
  });
});
