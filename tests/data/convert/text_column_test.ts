import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { TextColumn } from "../../../data/convert/text_column.ts";

async function* partsOf(texts: readonly string[], size: number) {
  for (let row = 0; row < texts.length; row += size) {
    yield await Promise.resolve(texts.slice(row, row + size).map((id) => ({ id })));
  }
}

Deno.test("TextColumn gives back every text, however its parts are cut and whatever they hold", async () => {
  const odd = ["", "漢字 😀", "\ud800", "tab\there", "", "é"];
  // Blocks have 4096 texts: three of them, the last one not full.
  const texts = Array.from({ length: 10_000 }, (_, row) => row % 7 === 0 ? odd[row % odd.length] : `B${row}`);
  for (const size of [1, 1000, 4096, 10_000]) {
    const column = await TextColumn.of(partsOf(texts, size), ({ id }) => id);
    strictEqual(column.length, 10_000);
    deepStrictEqual([...column], texts);
    for (const row of [9_999, 0, 4095, 4096, 8192]) strictEqual(column.at(row), texts[row]);
  }
  deepStrictEqual([...await TextColumn.of(partsOf([], 1), ({ id }) => id)], []);
});
