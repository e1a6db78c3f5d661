import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { compareRanks, direction } from "../../eval/compare.ts";
import { SLICINGS } from "../../eval/slices.ts";

const [slicing] = SLICINGS;

Deno.test("compareRanks() pairs users: differences are the other one's minus the baseline's", () => {
  const ones = [1, 1, 1, 1];
  const { users, hr, ndcg, slices } = compareRanks(
    [{ ranks: [null, null, 3, 0], sharing: ones }],
    [{ ranks: [0, null, 0, 0], sharing: ones }],
    { ks: [1, 5, 20], slices: [{ slicing, buckets: ["3-5", "1-2", "3-5", "1-2"] }], seed: 1 },
  );
  strictEqual(users, 4);
  deepStrictEqual([hr[1].baseline, hr[1].value, hr[1].difference], [0.25, 0.75, 0.5]);
  strictEqual(hr[1].p, 2 / 4); // two users differ, both to the better
  deepStrictEqual([hr[5].baseline, hr[5].value, hr[5].p], [0.5, 0.75, 1]);
  ok(Math.abs(ndcg[5].difference - (1 + 1 - 1 / Math.log2(5)) / 4) < 1e-12);
  deepStrictEqual(Object.keys(slices.historyLength), ["1-2", "3-5"]); // in the order of the registry
  deepStrictEqual(Object.keys(slices.historyLength["3-5"].hr), ["5"]); // the last cut-off up to 10
  const [same, gained] = [slices.historyLength["1-2"].ndcg[5], slices.historyLength["3-5"].ndcg[5]];
  deepStrictEqual([same.difference, same.p, same.ci95], [0, 1, [0, 0]]);
  strictEqual(gained.value, 1);
});

Deno.test("compareRanks() divides hits by the items that share the target's SID", () => {
  const { hr } = compareRanks(
    [{ ranks: [0, null], sharing: [2, 1] }],
    [{ ranks: [0, null], sharing: [1, 1] }],
    { ks: [1], slices: [], seed: 1 },
  );
  deepStrictEqual([hr[1].baseline, hr[1].value], [0.25, 0.5]);
});

Deno.test("compareRanks() takes the mean over the seeds of each user", () => {
  const seed = (...ranks: (number | null)[]) => ({ ranks, sharing: [1, 1] });
  const options = { ks: [1], slices: [], seed: 1 };
  const baseline = [seed(null, null)];
  const { users, hr } = compareRanks(
    baseline,
    [seed(0, null), seed(0, 0), seed(0, null), seed(0, 3)],
    options,
  );
  deepStrictEqual([users, hr[1].value, hr[1].difference], [2, (1 + 0.25) / 2, (1 + 0.25) / 2]);
  strictEqual(hr[1].p, 2 / 4); // of the four sign patterns, +1 +0.25 and its mirror are as far
  throws(
    () => compareRanks(baseline, [seed(0, null), { ranks: [0], sharing: [1] }], options),
    /Cannot average 2 users with 1/,
  );
});

Deno.test("direction() calls a difference one where interval and p-value agree", () => {
  strictEqual(direction({ difference: 0.1, ci95: [0.05, 0.2], p: 0.01 }), "better");
  strictEqual(direction({ difference: -0.1, ci95: [-0.2, -0.05], p: 0.01 }), "worse");
  strictEqual(direction({ difference: 0.1, ci95: [0.05, 0.2], p: 0.06 }), "none");
  strictEqual(direction({ difference: 0.1, ci95: [-0.01, 0.2], p: 0.04 }), "none");
});
