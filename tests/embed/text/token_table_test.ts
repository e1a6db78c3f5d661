import assert from "node:assert/strict";
import { TokenTable } from "../../../embed/text/token_table.ts";
import fc from "../../property.ts";

Deno.test("lookUp() gives each token its row, and leaves the rest 0", async () => {
  const token = fc.integer({ min: 0, max: 300 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.array(token), fc.nat(5)), { maxLength: 4 }), async (calls) => {
      const read: number[] = [];
      const table = new TokenTable(2, (first, count) => {
        const rows = Array.from({ length: count }, (_, i) => first + i);
        read.push(...rows);
        return Promise.resolve(Float32Array.from(rows.flatMap((row) => [row, -row])));
      });
      for (const [tokens, padding] of calls) {
        const padded = Uint32Array.from([...tokens, ...Array(padding).fill(7)]);
        const stream = await table.lookUp(padded, tokens.length);
        const expected = [...tokens.flatMap((t) => [t, 0 - t]), ...Array(2 * padding).fill(0)];
        assert.deepEqual([...stream].map((x) => x + 0), expected);
      }
      assert.equal(table.size, new Set(calls.flatMap(([tokens]) => tokens)).size);
    }),
  );
});

Deno.test("rows far apart are read apart: a table is never read whole", async () => {
  const reads: [number, number][] = [];
  const table = new TokenTable(1, (first, count) => {
    reads.push([first, count]);
    return Promise.resolve(new Float32Array(count));
  });
  await table.lookUp(Uint32Array.of(150000, 3, 9, 70000, 3), 5);
  assert.deepEqual(reads, [[3, 7], [70000, 1], [150000, 1]]);
  await table.lookUp(Uint32Array.of(3, 9, 150000), 3);
  assert.equal(reads.length, 3);
});
