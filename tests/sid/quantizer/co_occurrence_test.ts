import assert from "node:assert/strict";
import { UserError } from "../../../base/user_error.ts";
import { countCoOccurrences, NO_ITEM, pairItems } from "../../../sid/quantizer/co_occurrence.ts";
import { partnersIn } from "../../../sid/quantizer/co_occurrence_contrast.ts";
import fc from "../../property.ts";

const all = (rows: number) => Uint32Array.from({ length: rows }, (_, item) => item);

Deno.test("countCoOccurrences() lists who was bought right before or after, as often as it was", () => {
  const { offsets, items } = countCoOccurrences([[0, 1, 2], [1, 0], [2, 2, 1], [3]], 5);
  assert.deepEqual([...offsets], [0, 2, 6, 8, 8, 8]);
  assert.deepEqual([...items], [1, 1, 0, 2, 0, 2, 1, 1]);
});

Deno.test("countCoOccurrences() refuses items that do not exist and histories without neighbours", () => {
  assert.throws(
    () => countCoOccurrences([[0, 7]], 5),
    (error) => error instanceof UserError && /item 7/.test(error.message) && /5 items/.test(error.message),
  );
  assert.throws(() => countCoOccurrences([[0], [1, 1], []], 5), UserError);
});

Deno.test("pairItems() places every item once, pairs side by side, all of them neighbours", () => {
  const histories = fc.array(fc.array(fc.nat(19), { maxLength: 8 }), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(histories, fc.nat(5), fc.uniqueArray(fc.nat(19)), (histories, epoch, left) => {
    histories.push([0, 1]);
    const items = all(20).filter((item) => !left.includes(item));
    const counts = countCoOccurrences(histories, 20);
    const { order, partners } = pairItems(counts, items, 42, epoch);
    assert.deepEqual([...order].sort((a, b) => a - b), [...items]);
    order.forEach((item, at) => {
      const partner = partners[item];
      const beside = counts.items.subarray(counts.offsets[item], counts.offsets[item + 1]);
      if (partner === NO_ITEM) {
        // Whoever could have been its partner has another one.
        assert.ok(beside.every((other) => left.includes(other) || partners[other] !== NO_ITEM));
        return;
      }
      assert.equal(partners[partner], item);
      assert.ok(beside.includes(partner));
      assert.ok(order[at - 1] === partner || order[at + 1] === partner);
    });
  }));
});

Deno.test("pairItems() draws anew each epoch, the same for the same seed", () => {
  const ring = countCoOccurrences([[...all(50), 0]], 50);
  const order = (seed: number, epoch: number) => [...pairItems(ring, all(50), seed, epoch).order];
  assert.deepEqual(order(1, 3), order(1, 3));
  assert.notDeepEqual(order(1, 3), order(1, 4));
  assert.notDeepEqual(order(1, 3), order(2, 3));
});

Deno.test("pairItems() keeps items of a group near one another, pairs included", () => {
  const ring = countCoOccurrences([[...all(60), 0]], 60);
  const groups = Array.from({ length: 60 }, (_, item) => item < 3 ? "equal codes" : String(item));
  const { order, partners } = pairItems(ring, all(60), 42, 1, groups);
  const at = [0, 1, 2].map((item) => order.indexOf(item));
  assert.ok(Math.max(...at) - Math.min(...at) < 6);
  assert.deepEqual(partners, pairItems(ring, all(60), 42, 1).partners);
});

Deno.test("partnersIn() shares the weight among items whose partner is in the batch", () => {
  const partners = new Uint32Array(10).fill(NO_ITEM);
  for (const [one, other] of [[4, 7], [2, 9], [1, 3]]) [partners[one], partners[other]] = [other, one];
  // 5 has no partner, that of 1 is in the next batch.
  const { targets, weights } = partnersIn(Uint32Array.of(4, 7, 5, 9, 2, 1), partners, 2);
  assert.deepEqual([...targets], [1, 0, 2, 4, 3, 5]);
  assert.deepEqual([...weights], [0.5, 0.5, 0, 0.5, 0.5, 0]);
});
