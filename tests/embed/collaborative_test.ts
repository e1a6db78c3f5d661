import assert from "node:assert/strict";
import { diskFiles } from "../../base/files/disk.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { positiveMutualInformation } from "../../embed/text/mutual_information.ts";
import { type CollaborativeConfig, collaborativeProvider } from "../../embed/collaborative.ts";

const device = await Device.open({ layout: "buffer" });
const context = { ...diskFiles, device: () => Promise.resolve(device) };
const embed = (items: number, histories: number[][], config: Partial<CollaborativeConfig>) =>
  collaborativeProvider.embed(context, { items, histories }, collaborativeProvider.Config.parse(config));

Deno.test("positiveMutualInformation() is ln(c(i, j) C / (c(i) c(j))) of pairs weighted 1 / places", () => {
  // Pairs: 0-1 and 1-2 next to each other, 0-2 two apart; 3 with itself alone; 4 never.
  const input = { items: 5, histories: [[0, 1, 2], [3, 3]] };
  const { offsets, columns, values } = positiveMutualInformation(input, { window: 2, contextSmoothing: 1 });
  // Row sums 1.5, 2, 1.5, total 5: 0-1 has 1 * 5 / (1.5 * 2), 0-2 has 0.5 * 5 / (1.5 * 1.5).
  const [next, twoApart] = [Math.log(5 / 3), Math.log(2.5 / 2.25)];
  assert.deepEqual([...offsets], [0, 2, 4, 6, 6, 6]);
  assert.deepEqual([...columns], [1, 2, 0, 2, 0, 1]);
  for (const [i, expected] of [next, twoApart, next, next, twoApart, next].entries()) {
    assert.ok(Math.abs(values[i] - expected) < 1e-6, `entry ${i}`);
  }
});

Deno.test("positiveMutualInformation() counts nothing farther apart than the window", () => {
  const { columns } = positiveMutualInformation({ items: 3, histories: [[0, 1, 2]] }, {
    window: 1,
    contextSmoothing: 1,
  });
  assert.deepEqual([...columns], [1, 0, 2, 1]);
});

/** Two groups of items that are bought together, never across; item 8 is bought alone. */
const groups = [[0, 1, 2, 3], [1, 3, 0, 2], [2, 0, 3, 1], [4, 5, 6, 7], [5, 7, 4, 6], [6, 4, 7, 5], [8]];

Deno.test("collaborative vectors of items bought together are near, and those of items bought alone are 0", async () => {
  const { dim, data } = await embed(9, groups, { dim: 2 });
  const cosine = (a: number, b: number) =>
    data[a * dim] * data[b * dim] + data[a * dim + 1] * data[b * dim + 1];
  assert.ok(cosine(0, 3) > 0.9 && cosine(4, 6) > 0.9, `${cosine(0, 3)}, ${cosine(4, 6)}`);
  assert.ok(Math.abs(cosine(0, 4)) < 0.1, `${cosine(0, 4)}`);
  assert.ok(Math.abs(cosine(2, 2) - 1) < 1e-6);
  assert.deepEqual([...data.subarray(8 * dim)], [0, 0]);
  assert.deepEqual((await embed(9, groups, { dim: 2 })).data, data);
});

Deno.test("an item that the strongest directions do not see gets 0, not rounding blown up", async () => {
  const chain = Array.from({ length: 40 }, () => [0, 1, 2, 3]);
  const { dim, data } = await embed(6, [...chain, ...groups.slice(3, 6).map((g) => g.map((i) => i % 4)), [
    4,
    5,
  ]], { dim: 1 });
  const lengths = Array.from(
    { length: 6 },
    (_, item) => Math.hypot(...data.subarray(item * dim, (item + 1) * dim)),
  );
  assert.ok(lengths.every((length) => length === 0 || Math.abs(length - 1) < 1e-6), `${lengths}`);
  assert.ok(lengths.includes(0), `${lengths}`);
});

Deno.test("collaborative has no more dimensions than items that are bought with others, and refuses none", async () => {
  assert.equal((await embed(9, groups, { dim: 9 })).dim, 8);
  await assert.rejects(embed(2, [[0], [1]], { dim: 1 }), {
    name: "UserError",
    message:
      "Cannot embed 2 items: train histories bring none of them together with others, expected 2 or more. " +
      "Use more interactions",
  });
});
