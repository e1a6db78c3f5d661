import assert from "node:assert/strict";
import { readHistories } from "../../../tasks/_recommend/histories.ts";
import { ItemLookup } from "../../../tasks/_recommend/item_lookup.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

const ids = ["B00A", "-5", "12345678901234567890", "1"];
const lookup = new ItemLookup({ items: ids.map((id) => ({ id, title: id })) }, "shop");

async function historiesOf(...lines: string[]): Promise<number[][]> {
  const found: number[][] = [];
  await withFiles({ "h.jsonl": lines.join("\n") }, async (dir) => {
    for await (const { history } of readHistories(`${dir}/h.jsonl`, lookup)) found.push(history);
  });
  return found;
}

Deno.test("readHistories() takes numbers, and ids as texts or as numbers that no item has", async () => {
  assert.deepEqual(
    await historiesOf('{"history": [0, "-5", -5, 12345678901234567890]}', "", '{"titles": ["B00A"]}'),
    [[0, 1, 1, 2], [0]],
  );
});

Deno.test("readHistories() says what a line should be", async () => {
  for (
    const [line, message] of [
      [
        '{"history": [1.5]}',
        /h\.jsonl line 2 at \["history"\]\[0\]: expected item numbers or ids, found 1\.5\./,
      ],
      ['{"history": [1], "foo": 2}', /line 2: expected no key foo, found \{"history"/],
      ['{"user": "ann"}', /line 2: expected either history, .* found neither/],
    ] as const
  ) await assert.rejects(historiesOf('{"history": [1]}', line), message);
});
